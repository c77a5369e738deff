"""Make the catalogue of node classes of a ComfyUI, by which the API checks workflows."""
