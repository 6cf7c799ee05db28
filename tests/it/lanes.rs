//! Lanes: what closures of waves see, what they cannot do, and what a wave gives back.

use std::path::Path;

use coriolis_run::error::Kind;
use coriolis_run::event::{Event, Fact};
use coriolis_run::sandbox::Scenario;
use serde_json::{Value, json};

use crate::rehearsal::{GENERATIONS, Options, Rehearsal, Stage, rehearse};

/// With the modules of `tests/it/runbooks`.
fn with_modules(source: &str) -> Rehearsal {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/runbooks");
    Stage::new(Options { folder, ..Options::default() }).play(source)
}

/// Names of machines that no default scenario has.
fn names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("vm-{number:04}")).collect()
}

fn stage(scenario: Scenario) -> Stage {
    Stage::new(Options { scenario, ..Options::default() })
}

#[test]
fn lanes_see_constants_imports_and_functions_as_sequential_code_does() {
    let rehearsal = with_modules(
        r#"
        import "tools" as tools;
        const LIMIT = 3;
        let offset = 1000;
        fn triple(x) { x * global::LIMIT }
        fn deep(x) { if x == 0 { triple(7) } else { deep(x - 1) } }
        let work = |x| [triple(x), deep(5), tools::double(x), tools::stepped(x), global::LIMIT, LIMIT, offset];
        let plain = [];
        for x in [1, 2, 3] { plain.push(work.call(x)); }
        let inline = each([1, 2, 3], |x| [triple(x), deep(5), tools::double(x), tools::stepped(x), global::LIMIT, LIMIT, offset]);
        #{ plain: plain, handed: each([1, 2, 3], work), inline: inline }
    "#,
    );
    let expected = json!([[3, 21, 2, 7, 3, 3, 1000], [6, 21, 4, 9, 3, 3, 1000], [9, 21, 6, 11, 3, 3, 1000]]);
    assert_eq!(rehearsal.value(), &json!({"plain": expected, "handed": expected, "inline": expected}));
}

#[test]
fn a_module_may_open_lanes_of_its_own() {
    let rehearsal = with_modules(r#"import "tools" as tools; tools::all_stepped([1, 2, 3])"#);
    assert_eq!(rehearsal.value(), &json!([7, 9, 11]));
}

#[test]
fn a_closure_may_be_a_variable_or_the_name_of_a_function() {
    let rehearsal = rehearse(
        r#"
        fn square(x) { x * x }
        let factor = 10;
        let scaled = |x| x * factor;
        let inside = |f, x| each([x, x + 1], f);
        [each([1, 2], scaled), each([1, 2], Fn("square")), inside.call(scaled, 4), wave("w", [3], #{}, Fn("square")).items["3"].value]
    "#,
    );
    assert_eq!(rehearsal.value(), &json!([[10, 20], [1, 4], [40, 50], 9]));
}

#[test]
fn each_lane_works_on_its_own_copy_of_what_it_captured() {
    let rehearsal = rehearse(
        r#"
        let captured = #{ count: 0, list: [1, 2], inner: #{ n: 0 } };
        let result = each([1, 2, 3], |x| {
            let own = captured;
            own.count += x;
            own.list.push(x);
            own.inner.n += x;
            [own.count, own.list.len(), own.inner.n]
        });
        let items = [#{ n: 1 }, #{ n: 2 }];
        each(items, |item| { item.n += 10; });
        [result, captured, items]
    "#,
    );
    let expected = json!([
        [[1, 3, 1], [2, 3, 2], [3, 3, 3]],
        {"count": 0, "list": [1, 2], "inner": {"n": 0}},
        [{"n": 1}, {"n": 2}],
    ]);
    assert_eq!(rehearsal.value(), &expected);
}

#[test]
fn a_closure_that_assigns_to_what_it_captured_is_refused_before_anything_is_sent() {
    let create = r#"endpoint_create(#{ name: "lab", type: "openstack", connection_info: #{} });"#;
    for body in ["count += 1;", "count = x;", "seen.push(x);", "seen[0] = x;", "[x].for_each(|| count += 1);"] {
        let rehearsal = rehearse(&format!("let count = 0; let seen = [0];\n{create}\neach([1], |x| {{ {body} }});"));
        let error = rehearsal.error();
        assert!(error.message.contains("which it captured"), "{body}: {error}");
        assert_eq!(rehearsal.accepted, [], "{body}");
    }
}

#[test]
fn a_closure_from_elsewhere_that_assigns_to_what_it_captured_starts_no_lane() {
    let rehearsal = rehearse("let count = 0; let add = |x| { count += x; }; each([1], add);");
    assert!(rehearsal.error().message.contains("which it captured"), "{}", rehearsal.error());
    assert_eq!(rehearsal.count(|event| matches!(event.fact, Fact::ItemStarted { .. })), 0);
}

#[test]
fn sixty_four_lanes_that_read_one_captured_map_never_fail() {
    let rehearsal = rehearse(
        r#"
        let map = #{ id: 7, nested: #{ list: [1, 2, 3], name: "x" } };
        let items = [];
        for n in 0..64 { items.push(n); }
        each(items, #{ limit: 64 }, |n| {
            let sum = 0;
            for round in 0..50 { sum += map.id + map.nested.list[round % 3] + map.nested.name.len(); }
            sum
        })
    "#,
    );
    let sum: i64 = (0..50).map(|round| 7 + [1, 2, 3][round % 3] + 1).sum();
    assert_eq!(rehearsal.value(), &Value::from(vec![sum; 64]));
}

#[test]
fn each_keeps_the_items_order_whichever_ends_first() {
    let rehearsal = rehearse("each([4, 3, 2, 1], #{ limit: 4 }, |n| { sleep(n); n * 10 })");
    assert_eq!(rehearsal.value(), &json!([40, 30, 20, 10]));
}

#[test]
fn each_throws_the_first_failure_and_starts_nothing_new() {
    let rehearsal = rehearse(r#"each([1, 2, 3], #{ limit: 1 }, |n| { if n == 2 { throw "two"; } n })"#);
    assert_eq!((rehearsal.kind(), rehearsal.error().message.as_str()), (Kind::Script, "two"));
    assert_eq!(rehearsal.count(|event| matches!(event.fact, Fact::ItemStarted { .. })), 2);
}

#[test]
fn waves_nest_and_each_item_stands_below_its_parent() {
    let rehearsal = rehearse(
        r#"
        let outer = wave("outer", ["a", "b"], #{ limit: 2 }, |name| {
            let inner = wave(`inner ${name}`, [1, 2], #{ limit: 2 }, |n| { sleep(n); `${name}${n}` });
            inner.items["1"].value + inner.items["2"].value
        });
        [outer.ok, outer.items.a.value, outer.items.b.value]
    "#,
    );
    assert_eq!(rehearsal.value(), &json!([["a", "b"], "a1a2", "b1b2"]));
    let lanes: std::collections::BTreeSet<String> = rehearsal
        .events
        .iter()
        .filter(|event| matches!(event.fact, Fact::ItemStarted { .. }))
        .map(|event| event.origin.lane.to_string())
        .collect();
    let expected =
        ["main/1:a", "main/1:a/1:1", "main/1:a/1:2", "main/1:b", "main/1:b/1:1", "main/1:b/1:2"].map(String::from);
    assert_eq!(lanes, expected.into());
}

#[test]
fn the_result_of_a_wave_tells_how_every_item_ended() {
    let rehearsal = rehearse(
        r#"
        wave("mixed", ["good", "bad"], #{ max_failures: 1 }, |name| {
            sleep(10);
            if name == "bad" { throw "broken"; }
            name.len()
        })
    "#,
    );
    let error = json!({"kind": "script", "message": "broken", "hint": null,
        "place": "4:32", "status": null, "request_id": null, "source_off": false, "method": null, "path": null});
    let expected = json!({
        "ok": ["good"], "failed": ["bad"], "skipped": [], "cancelled": [], "unknown": [],
        "items": {
            "good": {"status": "ok", "value": 4, "attempts": 1, "elapsed": 10.0, "error": null, "first_error": null},
            "bad": {"status": "failed", "value": null, "attempts": 1, "elapsed": 10.0, "error": error, "first_error": null},
        },
    });
    assert_eq!(rehearsal.value(), &expected);
}

#[test]
fn a_caught_wave_has_the_same_fields_as_a_returned_one() {
    let rehearsal = rehearse(
        r#"
        let caught = ();
        try {
            wave("mixed", ["a", "b", "c", "d"], #{ limit: 2 }, |name| { sleep(if name == "b" { 1 } else { 2 }); if name == "b" { throw "broken"; } });
        } catch (e) {
            caught = #{ ok: e.ok, failed: e.failed, skipped: e.skipped, cancelled: e.cancelled, unknown: e.unknown,
               kind: e.kind, message: e.message, b: e.items.b.error.message, d: e.items.d.status, tries: e.items.d.attempts };
        }
        caught
    "#,
    );
    let expected = json!({
        "ok": ["a"], "failed": ["b"], "skipped": ["c", "d"], "cancelled": [], "unknown": [],
        "kind": "items_failed", "message": "wave `mixed`: 1 of 4 items failed", "b": "broken", "d": "skipped", "tries": 0,
    });
    assert_eq!(rehearsal.value(), &expected);
}

#[test]
fn an_item_is_known_by_its_value_its_name_its_id_or_what_key_says() {
    let table = [
        (r#"["a", "b"]"#, "#{}", json!(["a", "b"])),
        ("[1, 2]", "#{}", json!(["1", "2"])),
        (r#"[#{ name: "n", id: "i" }]"#, "#{}", json!(["n"])),
        (r#"[#{ id: "i" }]"#, "#{}", json!(["i"])),
        (r#"[#{ name: "n", host: "h" }]"#, r#"#{ key: "host" }"#, json!(["h"])),
        (r#"[#{ name: "n", host: "h" }]"#, "#{ key: |vm| `${vm.host}/${vm.name}` }", json!(["h/n"])),
    ];
    for (items, options, expected) in table {
        let rehearsal = rehearse(&format!("wave(\"w\", {items}, {options}, |x| 1).ok"));
        assert_eq!(rehearsal.value(), &expected, "{items} {options}");
    }
}

#[test]
fn two_items_of_one_key_are_refused_with_both_rows() {
    let rehearsal = rehearse(r#"wave("w", ["a", "b", "a"], #{}, |x| endpoint_delete("vcenter"))"#);
    assert_eq!(rehearsal.error().message, "items 1 and 3 have the same key `a`");
    assert_eq!(rehearsal.accepted, []);
    let keyless = rehearse(r#"wave("w", [#{ host: "h" }], #{}, |x| 1)"#);
    assert_eq!(keyless.error().message, "item 1, an object map, has no key");
    for (call, hint) in [
        (r##"wave("w", [#{ "NAME": "h" }], #{}, |x| 1)"##, r##"did you mean `#{ key: "NAME" }`?"##),
        (r##"wave("w", [#{ name: "" }], #{}, |x| 1)"##, "`name` of that item is empty"),
        (r##"group_by([#{ "Wave": "1" }], "wave")"##, "did you mean `Wave`?"),
    ] {
        assert_eq!(rehearse(call).error().hint.as_deref(), Some(hint), "{call}");
    }
}

#[test]
fn rows_of_merged_cells_are_a_group_that_is_told() {
    let warnings = |call: &str| -> Vec<String> {
        let told = |event: &Event| match &event.fact {
            Fact::Logged { message, .. } => Some(message.clone()),
            _ => None,
        };
        rehearse(call).events.iter().filter_map(told).collect()
    };
    let rows = r#"[#{ wave: "1" }, #{ wave: "" }, #{ wave: "2" }, #{ wave: "" }]"#;
    assert_eq!(
        warnings(&format!(r#"group_by({rows}, "wave")"#)),
        ["the `wave` of 2 items is empty: the group has an empty key (of merged cells only the first is filled)"]
    );
    assert_eq!(
        warnings(r#"group_by([#{ wave: "1" }, #{ wave: "" }], |row| row.wave)"#),
        ["the key of 1 item is empty: the group has an empty key (of merged cells only the first is filled)"]
    );
    assert_eq!(warnings(r#"group_by([#{ wave: "1" }, #{ wave: 2 }], "wave")"#), [""; 0]);
}

#[test]
fn a_wave_bears_as_many_failures_as_max_failures_says() {
    let play = |budget: &str, failing: usize| {
        rehearse(&format!(
            r#"wave("w", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], #{{ limit: 1, max_failures: {budget} }},
               |n| if n <= {failing} {{ throw "x" }}).failed.len()"#
        ))
    };
    for (budget, failing) in [("0", 0), ("2", 2), (r#""2""#, 2), (r#""20%""#, 2), (r#""29%""#, 2)] {
        assert_eq!(play(budget, failing).value(), &json!(failing), "{budget}");
        let over = play(budget, failing + 1);
        assert_eq!(over.kind(), Kind::ItemsFailed, "{budget}");
        let started = over.count(|event| matches!(event.fact, Fact::ItemStarted { .. }));
        assert_eq!(started, failing + 1, "{budget}: nothing new starts after one failure too many");
    }
}

#[test]
fn a_retried_vm_keeps_its_replica() {
    for generation in GENERATIONS {
        let rehearsal = Stage::new(Options::of(generation)).play(
            r#"
            wave("w", ["fail-once-mail-01", "web-01"], #{ retries: 1 }, |name| {
                let replica = replica_ensure(#{ origin_endpoint: "vcenter", destination_endpoint: "openstack", instance: name });
                replica_sync(replica);
                replica.id
            })
        "#,
        );
        let result = rehearsal.value();
        assert_eq!(result["items"]["fail-once-mail-01"]["attempts"], 2);
        assert_eq!(result["items"]["fail-once-mail-01"]["status"], "ok");
        assert_eq!(rehearsal.replicas_made(), 2, "{}", generation.word());
        assert_eq!(rehearsal.carried_out("POST", "/executions"), 3, "{}", generation.word());
    }
}

#[test]
fn at_most_four_changes_are_in_flight_for_sixty_four_lanes() {
    let stage = stage(Scenario::of(names(64)));
    stage.sandbox.hold_changes(true);
    let rehearsal = std::thread::scope(|scope| {
        // The server answers none before as many have come as are let out.
        scope.spawn(|| {
            while stage.sandbox.changes_in_flight() < 4 {
                std::thread::yield_now();
            }
            stage.sandbox.hold_changes(false);
        });
        stage.play(
            r#"
        let from = endpoint_find("vcenter");
        let to = endpoint_find("openstack");
        let vms = endpoint_instance_list(from);
        each(vms, #{ limit: 64 }, |vm| replica_create(#{ origin_endpoint: from, destination_endpoint: to, instance: vm.name }).id).len()
    "#,
        )
    });
    assert_eq!(rehearsal.value(), &json!(64));
    assert_eq!(rehearsal.peak, 4);
}

#[test]
fn a_thousand_items_at_once_run_in_one_process() {
    let rehearsal = stage(Scenario::of(names(1000))).play(
        r#"
        let from = endpoint_find("vcenter");
        let to = endpoint_find("openstack");
        let vms = endpoint_instance_list(from);
        let result = wave("all", vms, #{ limit: 1000 }, |vm| {
            let replica = replica_ensure(#{ origin_endpoint: from, destination_endpoint: to, instance: vm.name });
            sleep("1h");
            replica.instances[0]
        });
        [result.ok.len(), result.items["vm-0777"].value]
    "#,
    );
    assert_eq!(rehearsal.value(), &json!([1000, "vm-0777"]));
    assert_eq!(rehearsal.accepted.len(), 1000);
}

#[test]
fn an_item_may_have_any_key() {
    let rehearsal = rehearse(
        r#"
            let odd = ["web-02\x00", "", " ", "a\nb", "a/1:b", "a#1", "%2F", "main/1:x", "\u2028", "long"];
            odd[9].pad(10000, "g");
            let result = wave("odd\x00", odd, #{ key: |name| `:${name}`, limit: 10 }, |name| { sleep(1); name.len() });
            [result.ok.len(), result.ok[0].len()]
        "#,
    );
    assert_eq!(rehearsal.value(), &json!([10, 8]));
}
