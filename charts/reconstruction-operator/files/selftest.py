"""Self-test of `helm test`: one placeholder job, which needs the API server, the operator, Redis and a worker."""

import sys
import time

import urllib3
from kubernetes import client, config

namespace, queue, seconds = sys.argv[1:]
config.load_config()
jobs, where = client.CustomObjectsApi(), ("reconstruction.dev", "v1alpha1", namespace, "reconstructionjobs")
spec = {"modelType": "placeholder", "queue": queue, "input": {"uri": "file:///photos/selftest"}}
body = {
    "apiVersion": "reconstruction.dev/v1alpha1",
    "kind": "ReconstructionJob",
    "metadata": {"generateName": "selftest-"},
    "spec": {**spec, "backoffLimit": 0, "deletionPolicy": "Delete"},  # a second failure would add no information
}
try:
    name = jobs.create_namespaced_custom_object(*where, body)["metadata"]["name"]
except client.ApiException as error:
    sys.exit(f"The API server rejected the job of the self-test: {error.status} {error.reason}")
print(f"Created job {name} in namespace {namespace}, queue {queue}", flush=True)
deadline, status, seen = time.monotonic() + float(seconds), {}, "no status, so no operator runs"
try:
    while status.get("phase") not in ("Succeeded", "Failed", "Cancelled") and time.monotonic() < deadline:
        time.sleep(1)
        try:
            status = jobs.get_namespaced_custom_object(*where, name).get("status", {})
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:  # it may pass
            status = {"message": f"The job cannot be read: {error}"}
        progress = status.get("progress", {})
        parts = (status.get("phase"), progress.get("display"), progress.get("step"), status.get("message"))
        line = ", ".join(filter(None, parts))
        if line and line != seen:
            print(seen := line, flush=True)
finally:
    jobs.delete_namespaced_custom_object(*where, name)
passed = status.get("phase") == "Succeeded"
print("The self-test passed." if passed else f"The self-test failed. Last seen: {seen}")
sys.exit(not passed)
