//! Providers: the platforms that the server's workers speak, and the schemas of their settings.

use rhai::Dynamic;

use crate::client::providers;
use crate::error::{Error, Result, suggest};
use crate::language::arguments::text_of;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{Kind, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::function::Function;

/// Platforms whose providers were seen or announced; a server has only some of them, and may have others.
pub const PLATFORMS: [&str; 14] = [
    "openstack",
    "vmware_vsphere",
    "hyper-v",
    "scvmm",
    "aws",
    "azure",
    "oci",
    "oracle_vm",
    "olvm",
    "rhev",
    "proxmox",
    "kubevirt",
    "lxd",
    "metal",
];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("provider_list", "List the platforms that the server's workers speak.")
            .noun_verb()
            .returns(Returns::value("an object map from platform to `#{ types }`, its capabilities as numbers"))
            .sends(&[Sends::reads("GET /providers")])
            .example("for platform in provider_list().keys() { print(platform); }"),
        body: list,
    },
    Function {
        spec: Spec::reads("provider_schema_list", "Show the schemas of a platform's settings: of its connection, or \
                                                   of an environment.")
            .noun_verb()
            .parameters(&[
            Parameter::required(
                "platform",
                Kind::Word(&PLATFORMS),
                "Such as `openstack`; `provider_list` has the server's.",
            ),
            Parameter::required(
                "type",
                Kind::Any,
                "`connection`, `source`, `destination`, `source_minion_pool`, `destination_minion_pool`, or the number of one.",
            ),
        ])
            .returns(Returns::value("an object map from the schema's name to the JSON schema"))
            .sends(&[Sends::reads("GET /providers/{platform}/schemas/{type}")])
            .example("print(provider_schema_list(\"openstack\", \"connection\").keys());"),
        body: schemas,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read(&providers::list())?))
}

fn schemas(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let kind = schema_number(&text_of(&call.argument("type")))?;
    Ok(call.shown(call.read(&providers::schemas(&call.text("platform"), kind))?))
}

fn schema_number(word: &str) -> Result<u32> {
    let word = word.trim().replace('-', "_");
    let known = providers::SCHEMAS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    known.or_else(|| word.parse().ok()).ok_or_else(|| {
        let names = providers::SCHEMAS.map(|(name, _)| name);
        let error = Error::script(format!("there is no schema `{word}`"));
        match suggest(&word, names) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it is one of {}", names.map(|name| format!("`{name}`")).join(", "))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_have_words_and_numbers() {
        assert_eq!(schema_number("connection").ok(), Some(16));
        assert_eq!(schema_number("destination-minion-pool").ok(), Some(1_048_576));
        assert_eq!(schema_number("8").ok(), Some(8));
        let error = schema_number("conection").expect_err("a misspelling");
        assert_eq!(error.hint.as_deref(), Some("did you mean `connection`?"));
    }
}
