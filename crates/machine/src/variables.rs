//! The environment variables of the process.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::limits::{ENVIRONMENT_CHARACTERS, ENVIRONMENT_VARIABLES};

/// There is no room for a variable. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the environment has no room")]
pub(crate) struct EnvironmentFull;

/// The variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// Names and values by the names in upper case.
    by_name: BTreeMap<String, (String, String)>,
    /// What they count together.
    characters: usize,
}

/// What is counted of a variable beside its name and value: `=` and a zero.
const SEPARATORS: usize = 2;

fn count(name: &str, value: &str) -> usize {
    name.len() + value.len() + SEPARATORS
}

impl Variables {
    /// Returns the value of a variable, whatever the case of its name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.by_name.get(&name.to_uppercase());
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: String) -> Result<(), EnvironmentFull> {
        let key = name.to_uppercase();
        let known = self.by_name.get(&key);
        let old = known.map_or(0, |(name, value)| count(name, value));
        let characters = self.characters - old + count(name, &value);
        let is_full = known.is_none() && self.by_name.len() >= ENVIRONMENT_VARIABLES;
        if is_full || characters > ENVIRONMENT_CHARACTERS {
            return Err(EnvironmentFull);
        }
        self.characters = characters;
        self.by_name.insert(key, (name.to_owned(), value));
        Ok(())
    }

    /// Removes a variable.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some((name, value)) = self.by_name.remove(&name.to_uppercase()) {
            self.characters -= count(&name, &value);
        }
    }

    /// Returns names and values in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.by_name.values();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_or_replaced_makes_room() {
        let mut variables = Variables::default();
        let long = "x".repeat(ENVIRONMENT_CHARACTERS - 3);

        variables.set("a", long.clone()).unwrap();
        assert_eq!(variables.set("b", String::new()), Err(EnvironmentFull));
        assert_eq!(variables.get("b"), None);
        assert_eq!(variables.set("A", long.clone() + "x"), Err(EnvironmentFull));
        assert_eq!(variables.get("a"), Some(long.as_str()));

        variables.set("A", "short".to_owned()).unwrap();
        variables.set("b", String::new()).unwrap();
        variables.remove("a");
        variables.remove("B");
        variables.set("c", long).unwrap();
        assert_eq!(
            variables.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["c"]
        );
    }

    #[test]
    fn many_small_variables_are_too_many_at_some_time() {
        let mut variables = Variables::default();
        let set = |number: usize| variables.set(&number.to_string(), String::new());

        let refused = (0..=ENVIRONMENT_VARIABLES)
            .map(set)
            .position(|set| set.is_err());

        assert_eq!(refused, Some(ENVIRONMENT_VARIABLES));
    }
}
