"""Documentation site: docs/ and the pages at the root as HTML, without a network at page view. `make site`."""
