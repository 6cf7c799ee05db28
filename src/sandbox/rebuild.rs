//! Rebuilds a cloud: each change of a ledger is applied at its time, through the same routes.

use std::io;

use super::kept::Entry;
use super::keystone::Keystone;
use super::ledger::Ledger;
use super::routes::answer;
use super::routes::call::{Incoming, Services};
use super::rules::TRUTH_PREFIX;
use super::world::{Cloud, licensing, secrets};

/// The path of application credentials.
const USERS: &str = "/v3/users/";

/// True if this method on this path may change something that outlives the process. Tokens do not.
pub(super) fn may_change(method: &str, path: &str) -> bool {
    let served = ["/v1/", secrets::PREFIX, licensing::PREFIX, TRUTH_PREFIX].iter().any(|at| path.starts_with(at));
    match method {
        "POST" | "PUT" => served,
        "DELETE" => served || path.starts_with(USERS),
        _ => false,
    }
}

/// True if a ledger has to keep this request, given its status: anything that may have changed the cloud. The migration
/// service leaves things behind even when it refuses.
pub(super) fn is_kept(incoming: &Incoming, status: u16) -> bool {
    let done = if incoming.changes() { incoming.caller.is_some() } else { status < 300 };
    done && may_change(&incoming.method, &incoming.path)
}

/// Applies the changes of the ledger, and reports each with its status.
///
/// # Errors
/// `InvalidData` for a change with another answer than before.
pub(super) fn rebuild(
    ledger: &Ledger,
    cloud: &mut Cloud,
    keystone: &mut Keystone,
    mut report: impl FnMut(&Incoming, u16),
) -> io::Result<()> {
    for (line, entry) in ledger.entries() {
        if entry.path.starts_with(USERS) {
            keystone.forget_credential();
            continue;
        }
        let incoming = incoming(entry, ledger.body(entry));
        let services = Services { cloud: &mut *cloud, keystone: &mut *keystone, now: entry.at, wall: entry.at };
        let status = answer(services, &incoming).status;
        if status != entry.status {
            return Err(ledger.differs(line, entry, status));
        }
        report(&incoming, status);
    }
    Ok(())
}

fn incoming(entry: &Entry, body: Vec<u8>) -> Incoming {
    Incoming {
        method: entry.method.clone(),
        path: entry.path.clone(),
        query: entry.query.clone(),
        accept: None,
        json: entry.json,
        token: None,
        subject: None,
        body,
        caller: entry.caller.clone(),
    }
}
