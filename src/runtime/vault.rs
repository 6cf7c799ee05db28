//! The secrets that a run has met, for the values that its journal keeps as hashes.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::secret::{ExposeSecret, SecretString};

/// The secrets of a run by their hashes: those that it records and reads back itself.
#[derive(Default)]
pub struct Vault(Mutex<HashMap<String, SecretString>>);

impl Vault {
    pub fn put(&self, hash: &str, text: &str) {
        let mut known = self.0.lock();
        if !known.contains_key(hash) {
            known.insert(hash.to_owned(), text.to_owned().into());
        }
    }

    pub fn get(&self, hash: &str) -> Option<String> {
        let known = self.0.lock();
        known.get(hash).map(|text| text.expose_secret().to_owned())
    }
}
