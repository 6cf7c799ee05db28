//! The sources that calls see going off, and coming on again.

use serde_json::Value;

use crate::event::sources::{Source, facts};
use crate::runtime::call::Call;

/// Notes the sources that an execution, or a migration, switches off, by the server's answer to its request.
pub fn going_off(call: &Call<'_>, replica: &str, begun: &Value) {
    facts(replica, begun, false, call.host.clock.now()).into_iter().for_each(|fact| call.emit(fact));
}

/// Notes that these sources are on again, and who says so.
pub fn switched_on(call: &Call<'_>, which: impl Fn(&Source) -> bool, by: &str) {
    for source in call.sources().iter().filter(|source| which(source)) {
        call.emit(source.switched_on(call.host.clock.now(), by));
    }
}
