//! The options by which a runbook overrides guards, and what they override.

use crate::error::{Error, Kind, OVERRIDE, Result};
use crate::language::arguments::options;
use crate::language::spec::Kind as Of;

options! {
    /// The overrides of the guards before a copy.
    COPY => Copy {
        copy_again: bool = Of::Flag, "Copy although the VM was cut over or deployed before; default false.";
        duplicate: bool = Of::Flag,
            "Switch the source off although another replica of the VM exists; default false.";
        despite_schedule: bool = Of::Flag,
            "Switch the source off although a schedule of the replica is enabled; default false.";
    }
}

options! {
    /// The overrides of the guards before a deployment, besides the field `force` of the request.
    DEPLOY => Deploy {
        allow_stale: bool = Of::Flag, "Deploy although the newest copy has not completed; default false.";
        deploy_again: bool = Of::Flag, "Deploy although the VM was deployed before; default false.";
        duplicate: bool = Of::Flag, "Deploy although another replica of the VM exists; default false.";
        despite_schedule: bool = Of::Flag, "Deploy although a schedule of the replica is enabled; default false.";
    }
}

options! {
    /// The overrides of the guards before a migration.
    MIGRATE => Migrate {
        deploy_again: bool = Of::Flag, "Migrate although the VM was deployed before; default false.";
        duplicate: bool = Of::Flag, "Migrate although a replica of the VM exists; default false.";
    }
}

/// An option that overrides a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    AllowStale,
    CopyAgain,
    DeployAgain,
    DespiteSchedule,
    Duplicate,
    Force,
}

/// The overrides of one call.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<Override>);

/// A reason against a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub situation: String,
    pub consequence: String,
    /// The advice, before the override.
    pub advice: String,
    /// The first one is named in the hint; nothing overrides it if there is none.
    pub overrides: &'static [Override],
}

impl Override {
    pub fn word(self) -> &'static str {
        match self {
            Override::AllowStale => "allow_stale",
            Override::CopyAgain => "copy_again",
            Override::DeployAgain => "deploy_again",
            Override::DespiteSchedule => "despite_schedule",
            Override::Duplicate => "duplicate",
            Override::Force => "force",
        }
    }
}

impl Overrides {
    fn of<const N: usize>(given: [(bool, Override); N]) -> Self {
        Self(given.into_iter().filter_map(|(given, name)| given.then_some(name)).collect())
    }

    #[must_use]
    pub fn with(mut self, given: bool, name: Override) -> Self {
        self.0.extend(given.then_some(name));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Copy> for Overrides {
    fn from(Copy { copy_again, duplicate, despite_schedule }: Copy) -> Self {
        let schedule = (despite_schedule, Override::DespiteSchedule);
        Self::of([(copy_again, Override::CopyAgain), (duplicate, Override::Duplicate), schedule])
    }
}

impl From<Deploy> for Overrides {
    fn from(Deploy { allow_stale, deploy_again, duplicate, despite_schedule }: Deploy) -> Self {
        let (stale, schedule) = ((allow_stale, Override::AllowStale), (despite_schedule, Override::DespiteSchedule));
        Self::of([stale, (deploy_again, Override::DeployAgain), (duplicate, Override::Duplicate), schedule])
    }
}

impl From<Migrate> for Overrides {
    fn from(Migrate { deploy_again, duplicate }: Migrate) -> Self {
        Self::of([(deploy_again, Override::DeployAgain), (duplicate, Override::Duplicate)])
    }
}

impl Objection {
    fn into_refusal(self) -> Error {
        let hint = match self.overrides.first() {
            Some(name) => format!("{}, or use `{}: true`", self.advice, name.word()),
            None => self.advice,
        };
        let word = self.overrides.first().map(|name| name.word());
        Error::new(Kind::Refused, format!("{}: {}", self.situation, self.consequence)).hint(hint).detail(OVERRIDE, word)
    }
}

/// The objections that were overridden, each with its override.
///
/// # Errors
/// `Refused`, for the first objection that was not.
pub fn overridden(objections: Vec<Objection>, given: &Overrides) -> Result<Vec<(Override, Objection)>> {
    let lift = |objection: Objection| match objection.overrides.iter().find(|name| given.0.contains(name)) {
        Some(name) => Ok((*name, objection)),
        None => Err(objection.into_refusal()),
    };
    objections.into_iter().map(lift).collect()
}
