//! The path of a lane: the call that opened it, and the key of its item.

/// The lane of the item with this key, in the wave that call number `call` of `lane` opens.
pub fn child(lane: &str, call: u64, key: &str) -> String {
    let key = key.replace('%', "%25").replace('/', "%2F");
    format!("{lane}/{call}:{key}")
}

/// The lane above, and the number of the call there that opened this one: `main/3:web-01` is below call 3 of `main`.
/// The keys in journals of older versions may contain slashes: the first match from the right counts.
pub(super) fn parent(path: &str) -> Option<(&str, u64)> {
    path.match_indices('/').rev().find_map(|(at, _)| {
        let (number, _) = path[at + 1..].split_once(':')?;
        Some((&path[..at], number.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_of(path: &str) -> String {
        let (_, last) = path.rsplit_once('/').unwrap();
        last.split_once(':').unwrap().1.replace("%2F", "/").replace("%25", "%")
    }

    proptest! {
        #[test]
        fn a_lane_tells_its_key_and_where_it_was_opened(
            key in ".*|([/:#%]|2F|25|[0-9]|\\PC)*|[\\x00\n\r]*", call in 1u64..1000, above in "main(/[1-9]:[a-z%:#]*)?"
        ) {
            let path = child(&above, call, &key);
            prop_assert_eq!(key_of(&path), key);
            prop_assert_eq!(parent(&path), Some((above.as_str(), call)));
        }
    }
}
