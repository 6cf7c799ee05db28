//! Regions: groups of services and endpoints, shared by all projects.

use rhai::Dynamic;
use serde_json::{Map, Value};

use crate::client::regions;
use crate::error::Result;
use crate::functions::endpoints::refuse_nothing;
use crate::functions::resolve;
use crate::functions::settings::{DISABLED, ENABLED, name, put_switch};
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::runtime::call::{Call, Guard, unguarded};
use crate::runtime::function::Function;
use crate::runtime::settle;

const REGION: Parameter =
    Parameter::required("region", Kind::Reference(Noun::Region), "The region: its id, its name, or the object.");

const CREATE: &[Key] = &[
    Key::new("name", Kind::Text, "Its name, unless it is the first argument."),
    Key::new("description", Kind::Text, "A text for people; default: none."),
    ENABLED,
    DISABLED,
];

const UPDATE: &[Key] = &[
    Key::new("name", Kind::Text, "The new name; default: the old one."),
    Key::new("description", Kind::Text, "The new description; default: the old one."),
    ENABLED,
    DISABLED,
];

const NAME: Parameter = Parameter::required("name", Kind::Text, "Its name for people.");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("region_list", "List the regions.")
            .noun_verb()
            .returns(Returns::list(Noun::Region))
            .sends(&[Sends::reads("GET /regions")])
            .example("region_ensure(\"east\");\nprint(region_list().len() > 0);"),
        body: list,
    },
    Function {
        spec: Spec::reads("region_show", "Show a region.")
            .noun_verb()
            .parameters(&[REGION])
            .returns(Returns::object(Noun::Region))
            .sends(&[Sends::reads("GET /regions/{region}")])
            .example("region_ensure(\"east\", #{ description: \"the old hall\" });\nprint(region_show(\"east\").description);"),
        body: show,
    },
    Function {
        spec: Spec::changes("region_create", "Create a region; a second one of the same name is another region.")
            .noun_verb()
            .parameters(&[NAME, Parameter::optional("options", Kind::Options(&[CREATE]), "Further settings.")])
            .returns(Returns::object(Noun::Region))
            .sends(&[Sends::changes("POST /regions", Again::Marked("description"))])
            .example("print(region_create(\"east\", #{ description: \"the old hall\" }).name);"),
        body: create,
    },
    Function {
        spec: Spec::changes("region_ensure", "Find the region of this name, or create it; one that exists stays as it is.")
            .noun_verb()
            .parameters(&[NAME, Parameter::optional("options", Kind::Options(&[CREATE]), "As for `region_create`.")])
            .returns(Returns::object(Noun::Region).with("; its key `created` is true if it was just created"))
            .sends(&[
            Sends::reads("GET /regions"),
            Sends::changes("POST /regions", Again::Marked("description")).when("when there is none of this name"),
        ])
            .example("print(region_ensure(\"east\").created);\nprint(region_ensure(\"east\").created);"),
        body: ensure,
    },
    Function {
        spec: Spec::changes("region_update", "Change a region.")
            .noun_verb()
            .parameters(&[
            REGION,
            Parameter::required("options", Kind::Options(&[UPDATE]), "The changes; everything else stays as it is."),
        ])
            .returns(Returns::object(Noun::Region).with(" as it is now"))
            .sends(&[Sends::changes("PUT /regions/{region}", settle::UPDATED)])
            .example("region_ensure(\"east\");\nprint(region_update(\"east\", #{ disabled: true }).enabled);"),
        body: update,
    },
    Function {
        spec: Spec::changes("region_delete", "Delete a region, even one that is in use.")
            .noun_verb()
            .parameters(&[REGION])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /regions/{region}", Again::Safe)])
            .example("region_ensure(\"east\");\nregion_delete(\"east\");"),
        body: delete,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read_list(&regions::list())?.into()))
}

fn show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::region(call, &call.argument("region"))?;
    Ok(call.shown(call.read(&regions::show(&id))?))
}

fn create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let region = make(call, &unguarded)?;
    Ok(call.shown(region))
}

fn ensure(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let region = resolve::ensured(call, &regions::list(), (&name(call)?, "region"), |guard| make(call, guard))?;
    Ok(call.shown(region))
}

fn update(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    refuse_nothing(call.options(), "region_update")?;
    let id = resolve::region(call, &call.argument("region"))?;
    let fields = fields(call)?;
    let region = settle::update(call, &regions::update(&id, fields.clone()), &fields)?;
    Ok(call.shown(region))
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = resolve::region(call, &call.argument("region"))?;
    settle::remove(call, &regions::delete(&id))?;
    Ok(Dynamic::UNIT)
}

fn make(call: &Call<'_>, guard: Guard<'_>) -> Result<Value> {
    let mut fields = fields(call)?;
    fields.insert("name".to_owned(), name(call)?.into());
    settle::make(
        call,
        "description",
        fields,
        guard,
        |fields| Ok(regions::create(fields)),
        |call| call.read_list(&regions::list()),
    )
}

fn fields(call: &Call<'_>) -> Result<Map<String, Value>> {
    let mut fields = call.options().body(&["name", "description"])?;
    put_switch(call, &mut fields, "enabled", "disabled")?;
    Ok(fields)
}
