//! Connections on a machine that may have no authorities of its own, such as a small container.

use reqwest::{Certificate, Client, ClientBuilder};

/// Builds the client that `configure` describes. It trusts `certificates` besides the machine's own; on a machine
/// without any it trusts only these, so that plain HTTP (the sandbox's) works there.
pub(super) fn build(configure: impl Fn() -> ClientBuilder, certificates: &[Certificate]) -> reqwest::Result<Client> {
    let certificates = || certificates.iter().cloned();
    let built = configure().tls_certs_merge(certificates()).build();
    built.or_else(|error| configure().tls_certs_only(certificates()).build().map_err(|_| error))
}
