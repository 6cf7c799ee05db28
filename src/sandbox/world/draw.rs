//! Ids and quantities drawn from the seed and a name, never from the order of arrival.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// 32 bytes that look random and depend only on their inputs.
#[derive(Clone, Copy)]
pub(in crate::sandbox) struct Draw([u8; 32]);

/// Draws for `parts`, which name the object: its kind, its owner, the number of earlier ones.
pub(in crate::sandbox) fn draw(seed: u64, parts: &[&str]) -> Draw {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    Draw(*hasher.finalize().as_bytes())
}

impl Draw {
    /// Lower-case UUID of version 4.
    pub(in crate::sandbox) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        // Every task and every line of progress has one, so the formatting machinery is avoided.
        let mut text = String::with_capacity(36);
        for (position, byte) in bytes.into_iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
        text
    }

    /// 32 hexadecimal digits, as Keystone's ids are.
    pub(in crate::sandbox) fn hex(&self) -> String {
        self.uuid().replace('-', "")
    }

    /// A secret of 43 letters that may stand in a URL or a shell.
    pub(in crate::sandbox) fn secret(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0)
    }

    /// A whole number from `low` to `high`, both inclusive.
    pub(in crate::sandbox) fn between(&self, low: i64, high: i64) -> i64 {
        low + (self.fraction() * (high - low + 1) as f64) as i64
    }

    /// From 0 to just below 1.
    pub(in crate::sandbox) fn fraction(&self) -> f64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[16..24]);
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_draws_the_same_and_another_does_not() {
        assert_eq!(draw(1, &["transfer", "web-01", "0"]).uuid(), draw(1, &["transfer", "web-01", "0"]).uuid());
        assert_ne!(draw(1, &["transfer", "web-01", "0"]).uuid(), draw(2, &["transfer", "web-01", "0"]).uuid());
        assert_ne!(draw(1, &["ab", "c"]).uuid(), draw(1, &["a", "bc"]).uuid());
    }

    #[test]
    fn ids_have_the_shape_of_version_4() {
        let id = draw(7, &["x"]).uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn numbers_stay_between_their_bounds() {
        for count in 0..200 {
            let number = draw(3, &[&count.to_string()]).between(20, 60);
            assert!((20..=60).contains(&number), "{number}");
        }
    }
}
