//! Refused tokens: in passing, for good, and for many at once.

use super::*;

#[test]
fn a_rejected_token_is_renewed_once_for_sixty_four_threads() {
    let world = World::new(|_, seen| match seen.head.contains("x-auth-token: token-0") {
        true => refusal(401, "The request you have made requires authentication."),
        false => none(),
    });
    let results = world.threads(64, |client, _| client.send(&Origin::default(), &transfers()));
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(world.keyring.renewals.load(Ordering::SeqCst), 1);
}

#[test]
fn a_token_that_is_rejected_after_the_renewal_too_is_a_login_error() {
    let refused = || refusal(401, "The request you have made requires authentication.");
    let world = World::new(move |_, _| refused());
    let error = world.send(&Request::delete("transfers/T")).expect_err("nobody lets us in");
    assert_eq!((error.kind, world.lines().len(), world.age()), (Kind::Login, 6, 3));

    let world = World::new(move |before, _| if before == 0 { none() } else { refused() });
    world.send(&transfers()).unwrap();
    let error = world.client.send_once(&transfers()).expect_err("nobody lets us in any more");
    assert_eq!((error.kind, world.lines().len(), world.age()), (Kind::Login, 13, 31));
}

#[test]
fn a_token_that_is_refused_twice_in_passing_is_no_login_error() {
    for request in [transfers(), Request::delete("transfers/T")] {
        let world = World::new(move |before, _| match before {
            1..8 => refusal(401, "The request you have made requires authentication."),
            _ => none(),
        });
        world.send(&transfers()).unwrap();
        world.send(&request).unwrap();
        assert_eq!((world.lines().len(), world.age()), (9, 7));
        world.client.send_once(&transfers()).unwrap();
    }
}

#[test]
fn a_creation_whose_token_is_refused_is_looked_for_before_it_is_sent_again() {
    let world = World::new(|before, _| match before {
        0 => refusal(401, "The request you have made requires authentication."),
        _ => execution(),
    });
    let Err(Failure::Lost(error, Trail::Ended)) = world.change(&execute()) else { panic!("it may have acted") };
    assert_eq!((error.kind, world.lines().len()), (Kind::Login, 1));
    assert_eq!(world.keyring.renewals.load(Ordering::SeqCst), 1);
}
