//! Connections on a machine that may have no authorities of its own, as small containers have none.

use reqwest::{Certificate, Client, ClientBuilder};

/// Builds what `configure` describes, trusting `certificates` besides the machine's own; where it has none, trusting
/// only these, so that plain HTTP (the sandbox's) works there.
pub(super) fn build(configure: impl Fn() -> ClientBuilder, certificates: &[Certificate]) -> reqwest::Result<Client> {
    let certificates = || certificates.iter().cloned();
    let built = configure().tls_certs_merge(certificates()).build();
    built.or_else(|error| configure().tls_certs_only(certificates()).build().map_err(|_| error))
}
