//! Our identity to the server, and the server's address: the seam between the client and the login.

use std::future::Future;
use std::pin::Pin;

use secrecy::SecretString;

use crate::error::{Error, Result};

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The access that a request needs: a token, and the URL that the paths are relative to.
#[derive(Clone, Debug)]
pub struct Access {
    /// Sent as `X-Auth-Token`; `None` when the server wants none (`--no-auth`).
    pub token: Option<SecretString>,
    /// The catalog's URL with the project in it and no slash at its end: `http://host:7667/v1/0205...`.
    pub url: String,
    /// The login that this came from, so that many rejected requests cause only one new login.
    pub login: u64,
    /// The id of the user that the token is for: the server writes it into what is made with the token.
    pub user: Option<String>,
}

/// Logs in, and logs in again when the server rejects the token.
pub trait Identity: Send + Sync {
    /// The current access; logs in at the first call.
    ///
    /// # Errors
    /// `Login` when the credentials are refused or incomplete, `Unreachable` when Keystone does not answer, `Input`
    /// when the catalog has no such service, region or interface.
    fn access(&self) -> Pending<'_, Result<Access>>;

    /// A new access after the server answered 401 to `rejected`. Of many callers with the same rejected login one logs
    /// in and the others get its result.
    ///
    /// # Errors
    /// As [`Identity::access`]; `Login` when the credentials cannot log in again (a bare token).
    fn renew<'a>(&'a self, rejected: &'a Access) -> Pending<'a, Result<Access>>;

    /// The URL of another service of the catalog, by its type, without a slash at its end.
    ///
    /// # Errors
    /// `Input` when there is none; as [`Identity::access`].
    fn service_url<'a>(&'a self, kind: &'a str) -> Pending<'a, Result<String>> {
        Box::pin(async move {
            Err(Error::input(format!("the address of the service `{kind}` is unknown: there is no catalog"))
                .hint("log in to Keystone, whose catalog has it"))
        })
    }

    /// True if we log in with an application credential: the server cannot create trusts with one, and executing,
    /// deploying and scheduling need a trust.
    fn uses_application_credential(&self) -> bool {
        false
    }

    /// The user and the address, for people: `admin in project admin at http://.../v3`. No secrets.
    fn describe(&self) -> String;
}
