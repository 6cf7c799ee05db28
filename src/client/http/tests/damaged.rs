//! Answers that are whole and wrong: of another request, empty, damaged on their way.

use super::*;

#[test]
fn changes_and_answers_that_show_no_owner_share_no_connection() {
    let world = World::new(|_, seen| match seen.line.as_str() {
        "get transfers" => Act::Json(200, json!({"transfers": [transfer("T")]})),
        "get transfers/new" => refusal(404, "there is none"),
        _ => execution(),
    });
    for _ in 0..3 {
        world.send(&transfers()).unwrap();
        world.change(&execute()).unwrap();
        world.send(&Request::get("transfers/new", Answer::Whole)).expect_err("there is none");
    }
    let seen = world.seen.lock();
    let (lists, others): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.line == "get transfers");
    let connections = |seen: &[&Seen]| seen.iter().map(|seen| seen.connection).collect::<BTreeSet<_>>();
    assert_eq!((connections(&others).len(), connections(&others).is_disjoint(&connections(&lists))), (6, true));
}

#[test]
fn a_list_that_had_entries_is_asked_for_again_when_it_is_empty() {
    let world = World::new(|before, _| match before {
        0 | 4 => Act::Json(200, json!({"transfers": [transfer("T")]})),
        _ => none(),
    });
    let length = || world.client.list(&Origin::default(), &transfers()).unwrap().len();
    assert_eq!((length(), length(), world.pauses()), (1, 1, vec![1, 2, 4]));
    assert_eq!((length(), world.lines().len()), (0, 9), "all were deleted");
}

#[test]
fn an_empty_list_is_asked_for_again_before_it_is_believed() {
    let world = World::new(|before, _| match before {
        0 => none(),
        _ => Act::Json(200, json!({"transfers": [transfer("T")]})),
    });
    assert_eq!(world.client.list(&Origin::default(), &transfers()).unwrap().len(), 1);
    assert_eq!(world.pauses(), Vec::<i64>::new());
}

#[test]
fn a_damaged_answer_to_a_probe_does_not_make_a_server_unknown() {
    let world = World::new(|before, seen| match (before, seen.line.as_str()) {
        (0, _) => Act::Json(404, json!({"error": "surprise"})),
        (_, "get transfers/new") => refusal(404, "there is none"),
        _ => Act::Json(404, json!({"message": "no such path"})),
    });
    assert_eq!(world.client.generation(&Origin::default()).unwrap(), Generation::Current);
}

#[test]
fn stray_bytes_after_a_204_disturb_nobody() {
    let world = World::new(|_, seen| match seen.line.starts_with("delete") {
        true => {
            let stray = r#"{"error": {"fault": "computeFault", "code": 204, "message": ""}}"#;
            Act::Bytes(format!("HTTP/1.1 204 No Content\r\nContent-Length: 64\r\n\r\n{stray}").into_bytes())
        }
        false => none(),
    });
    for _ in 0..20 {
        assert_eq!(world.change(&Request::delete("transfers/T")).unwrap(), Value::Null);
        world.send(&transfers()).unwrap();
    }
    assert_eq!(world.pauses(), Vec::<i64>::new());
    let seen = world.seen.lock();
    assert!(seen.iter().all(|seen| seen.line.starts_with("get") || seen.head.contains("connection: close")));
}
