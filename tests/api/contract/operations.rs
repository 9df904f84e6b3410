//! The operations of the published document.

use aims::app::kinds;
use aims::records::Entry;
use serde_json::Value;

/// One operation.
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub spec: Value,
}

pub use crate::isolation::document::{document, published};

/// All operations, ordered by path.
pub fn operations() -> Vec<Operation> {
    let document = document();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if let Some(spec) = item.get(method) {
                all.push(Operation {
                    id: spec["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    spec: spec.clone(),
                });
            }
        }
    }
    all
}

impl Operation {
    /// Whether it takes a header.
    pub fn takes(&self, header: &str) -> bool {
        let parameters = self.spec["parameters"].as_array();
        parameters
            .into_iter()
            .flatten()
            .any(|parameter| parameter["in"] == "header" && parameter["name"] == header)
    }

    /// The kind of record it is about, and the rest of its path.
    pub fn of_kind(&self) -> Option<(&'static Entry, &str)> {
        let rest = self.path.strip_prefix("/v1/tenants/{tenant_id}/")?;
        let (first, rest) = rest.split_once('/').unwrap_or((rest, ""));
        kinds().by_path(first).map(|entry| (entry, rest))
    }
}
