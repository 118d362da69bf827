"""The napari plugin: reader, writer, sample slides, docks. Importing this imports none of them."""
