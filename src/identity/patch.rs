//! Merge patches (RFC 7396) of what is no record: checked by a schema before they become a `T`.
//!
//! A client may send back the whole object as it read it: a field that is as it was is no change,
//! also one that only the server writes.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::json::{Object, fit};
use crate::http::schema::Shape;
use crate::problem::{Problem, Result};

/// Extractor: the changes a client asks for, not yet judged.
pub struct Patch<T> {
    fields: Map<String, Value>,
    changes: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + ToSchema + 'static> Patch<T> {
    /// The changes to a resource that clients read as `now`; none when everything is as it was.
    /// 422 for fields that do not exist or cannot be changed.
    pub fn to(self, now: &impl Serialize) -> Result<Option<T>> {
        let now = serde_json::to_value(now).map_err(Problem::internal)?;
        let mut fields = self.fields;
        fields.retain(|name, value| now.get(name) != Some(value));
        if fields.is_empty() {
            return Ok(None);
        }
        let value = Value::Object(fields);
        Shape::cached::<T>()
            .check(&value)
            .map_err(Problem::invalid_all)?;
        fit(value).map(Some)
    }
}

impl<T: 'static> FromRequest for Patch<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let object = Object::from_request(req, payload);
        async move {
            Ok(Self {
                fields: object.await?.fields,
                changes: PhantomData,
            })
        }
        .boxed_local()
    }
}

/// Tells `null` (clear it) from absent (leave it): for `#[serde(default, deserialize_with)]`.
pub fn clearable<'de, T, D>(from: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(from).map(Some)
}
