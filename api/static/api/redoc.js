// Shows the API reference. A separate file, as the CSP forbids inline scripts.
const reference = document.getElementById("reference");
Redoc.init(reference.dataset.schema, JSON.parse(reference.dataset.settings), reference);
