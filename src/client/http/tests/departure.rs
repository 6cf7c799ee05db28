//! The questions and notifications that a departing change gets.

use super::*;

/// Records the notifications of a change on its way out; it may be kept back when its turn has come.
#[derive(Default)]
struct Way {
    told: Vec<&'static str>,
    refuses: bool,
}

impl Departure for Way {
    fn may_leave(&mut self) -> Result<()> {
        self.told.push("may leave");
        if self.refuses { Err(Error::new(Kind::Refused, "stale")) } else { Ok(()) }
    }

    fn leaves(&mut self, _: Option<&str>) -> Result<()> {
        self.told.push("leaves");
        Ok(())
    }

    fn stayed(&mut self) -> Result<()> {
        self.told.push("stayed");
        Ok(())
    }
}

#[test]
fn a_change_that_waits_for_its_turn_when_the_operator_stops_has_not_left() {
    let (kept, waiting) = tokio::sync::watch::channel(0);
    let (arrived, cancel) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Cancel>)));
    let stop = cancel.clone();
    let world = World::waiting(move |_, _| {
        if arrived.fetch_add(1, Ordering::SeqCst) == 3 {
            stop.lock().as_ref().unwrap().press();
        }
        let mut waiting = waiting.clone();
        // No answer before the waiting ones have given up.
        Box::pin(async move {
            waiting.wait_for(|kept| *kept == 4).await.unwrap();
            execution()
        })
    });
    *cancel.lock() = Some(world.cancel.clone());
    let kept = Arc::new(kept);
    let results = world.threads(8, move |client, _| {
        let mut way = Way::default();
        let sent = client.change(&Origin::default(), &execute(), &mut way);
        if matches!(sent, Err(Failure::Kept(_))) {
            kept.send_modify(|kept| *kept += 1);
        }
        (sent.is_ok(), way.told)
    });
    let left = results.iter().filter(|(done, told)| *done && *told == ["may leave", "leaves"]).count();
    let stayed = results.iter().filter(|(done, told)| !done && *told == ["stayed"]).count();
    assert_eq!((left, stayed, world.lines().len()), (4, 4, 4), "{results:?}");
}

#[test]
fn a_change_that_may_not_leave_any_more_is_not_sent() {
    let world = World::new(|_, _| none());
    let mut way = Way { refuses: true, ..Way::default() };
    let Err(Failure::Kept(error)) = world.client.change(&Origin::default(), &execute(), &mut way) else {
        panic!("it was kept back")
    };
    assert_eq!((error.kind, way.told), (Kind::Refused, vec!["may leave", "stayed"]));
    assert!(world.lines().is_empty());
}

#[test]
fn a_change_is_asked_again_after_another_login() {
    let world = World::new(|before, _| match before {
        0 => refusal(401, "who are you?"),
        _ => Act::Json(204, json!({})),
    });
    let mut way = Way::default();
    world.client.change(&Origin::default(), &Request::delete("transfers/T"), &mut way).unwrap();
    assert_eq!(way.told, ["may leave", "leaves", "stayed", "may leave", "leaves"]);
}

/// A change that leaves when its two lists could be read.
struct Guarded(Client);

impl Departure for Guarded {
    fn may_leave(&mut self) -> Result<()> {
        let list = |path: &str| self.0.send(&Origin::default(), &Request::get(path, Answer::List("transfers")));
        LISTS.iter().try_for_each(|path| list(path).map(drop))
    }

    fn leaves(&mut self, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn stayed(&mut self) -> Result<()> {
        Ok(())
    }
}

const LISTS: [&str; 2] = ["transfers?limit=1", "transfers?limit=2"];

#[test]
fn facts_between_which_a_request_was_tried_again_are_asked_for_anew() {
    let world = World::new(|before, seen| match before {
        1 => refusal(502, "away"),
        _ if seen.line.starts_with("post") => execution(),
        _ => Act::Json(200, json!({"transfers": [transfer("T")]})),
    });
    let mut guarded = Guarded(world.client.clone());
    world.client.change(&Origin::default(), &execute(), &mut guarded).unwrap();
    let asked: Vec<String> = [0, 1, 1, 0, 1].iter().map(|list| format!("get {}", LISTS[*list])).collect();
    assert_eq!(world.lines()[..5], asked);
    assert_eq!(world.lines()[5..], ["post transfers/t/executions"]);
}

#[test]
fn a_change_gives_its_turn_back_while_its_facts_cannot_be_read() {
    // The facts can be read once the changes of all other lanes have been carried out: with the turns held during the
    // pauses, none of them would get one.
    let posted = AtomicUsize::new(0);
    let world = World::new(move |before, seen| match seen.line.starts_with("post") {
        true => {
            posted.fetch_add(1, Ordering::SeqCst);
            execution()
        }
        false if before > 0 && posted.load(Ordering::SeqCst) < 16 => refusal(502, "away"),
        false => Act::Json(200, json!({"transfers": [transfer("T")]})),
    });
    world.send(&transfers()).unwrap();
    let results = world.threads(20, |client, number| match number {
        0..4 => client.change(&Origin::default(), &execute(), &mut Guarded(client.clone())).is_ok(),
        _ => client.change(&Origin::default(), &execute(), &mut Unguarded).is_ok(),
    });
    assert_eq!(results, [true; 20]);
}

#[test]
fn a_change_whose_facts_are_never_those_of_one_moment_is_kept_back_when_patience_ends() {
    // Each second request fails, so that one of the two lists is always asked for twice.
    let world = World::new(|before, _| match before % 2 {
        0 => Act::Json(200, json!({"transfers": [transfer("T")]})),
        _ => refusal(502, "away"),
    });
    let mut guarded = Guarded(world.client.clone());
    let Err(Failure::Kept(error)) = world.client.change(&Origin::default(), &execute(), &mut guarded) else {
        panic!("it may not leave")
    };
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.contains("a request failed; it was tried for 10m"), "{error}");
    assert!(world.age() >= 600 && !world.lines().iter().any(|line| line.starts_with("post")));
}

#[test]
fn a_change_is_asked_before_each_try_and_one_without_a_connection_stays() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::at(format!("http://{address}/v1/p"), Arc::default(), runtime);
    world.client.shared.known.store(true, Ordering::SeqCst);
    let mut way = Way::default();
    let Err(Failure::Kept(_)) = world.client.change(&Origin::default(), &execute(), &mut way) else {
        panic!("nobody listens")
    };
    assert!(way.told.len() > 3);
    assert!(way.told.chunks(3).all(|told| told == ["may leave", "leaves", "stayed"]), "{:?}", way.told);
}
