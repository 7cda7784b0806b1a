"""Development programs: `generate` writes files from the code, `checks` examines the tree,
`release` and `site` build.
"""
