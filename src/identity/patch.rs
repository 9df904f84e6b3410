//! Merge patches (RFC 7396) that are checked by a schema before they become a `T`.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::json::{Object, fit};
use crate::http::schema::Shape;
use crate::problem::{Problem, Result};

/// Extractor: the changes a client asks for.
pub struct Patch<T>(pub T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Patch<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let object = Object::from_request(req, payload);
        async move {
            let value = Value::Object(object.await?.fields);
            Shape::cached::<T>()
                .check(&value)
                .map_err(Problem::invalid_all)?;
            fit(value).map(Self)
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
