"""Assets: uploaded and imported media files, and the holds of renders on them."""
