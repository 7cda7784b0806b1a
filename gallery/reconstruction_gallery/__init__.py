"""Web gallery: the jobs that a Kubernetes user may see, live, with their results; uploads, and the two-step cancel.

The gallery watches jobs with its own account, and shows each user what a SubjectAccessReview allows that user. It
writes only as the user.

| package | contents |
|---|---|
| `kube/` | the API server: access, the watch and its cache, users (TokenReview), their rights (SubjectAccessReview),
writes | | `files/` | results on the jobs volume and in buckets; uploads with their quotas | | `web/` | sessions, the
identity of a request, security headers, and the routes | | `static/` | the page |
"""
