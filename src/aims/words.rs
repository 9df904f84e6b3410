//! Short texts that lists in records hold, each with its limits.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $min:literal to $max:literal, $pattern:expr, $example:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let pattern: Option<&str> = $pattern;
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .min_length(Some($min))
                    .max_length(Some($max))
                    .pattern(pattern)
                    .examples([serde_json::json!($example)])
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }

        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                self.0 == *other
            }
        }
    )* };
}

words! {
    /// A line of text.
    Line: 1 to 500, None, "applicants";
    /// A country: ISO 3166-1 alpha-2.
    Country: 2 to 2, Some("^[A-Z]{2}$"), "NL";
    /// A control of Annex A, or of the tenant's own.
    ControlId: 3 to 12, Some("^[AX]\\.[0-9.]+$"), "A.7.4";
}
