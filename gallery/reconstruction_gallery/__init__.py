"""Web gallery: the jobs that a Kubernetes user may see, live, with their results; uploads, and the two-step cancel.

The gallery reads jobs by a watch of its own and shows each user what a SubjectAccessReview of that user allows. It writes only
as the user.

| package | contents |
|---|---|
| `kube/` | the API server: access, the watch and its cache, users (TokenReview), their rights (SubjectAccessReview), writes |
| `files/` | results, opened by descriptors below the jobs volume; uploads with their quotas |
| `web/` | sessions, the identity of a request, security headers, and the routes |
| `static/` | the page |
"""
