//! A simulation: random histories of a few groups, told to several instances of the function side by side, late, repeatedly
//! and in any order, while EC2 lags, calls fail, and sweeps come between. Time is the tests' own, so that days pass at once.
//!
//! What holds of every run and in the end stands in [`checks`]. Where EC2's answers may lag longer than an event is on its
//! way, the end is right only if no answer is older than one before it, and if no rule comes and goes within the lag:
//! nothing that a function without memory could ask tells such states apart. The next sweep does.

use std::time::Duration;

use proptest::prelude::*;

use super::testing::TestClock;
use crate::config;
use crate::policy::Settings;
use delivery::deliver;
use history::{Change, History, changes};
use world::{Weather, World};

mod checks;
mod delivery;
mod history;
mod world;

/// An exemption of the self-reference of the first group.
fn settings() -> Settings {
    let text = r#"
[[exemption]]
id = "itself"
reason = "it may let itself in"
target = { id = "sg-a0000000000000000" }
source = "self"
"#;
    config::read("policy.toml", text).unwrap().settings
}

/// Milliseconds at which sweeps begin.
fn sweeps() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(0..120_000_u64, 0..4)
}

fn simulate(
    weather: Weather,
    changes: &[Change],
    sweeps: &[u64],
    seed: u64,
) -> (World, Vec<String>) {
    TestClock.reset();
    let history = History::of(changes, &weather);
    let world = World::new(settings(), history, weather, seed);
    let sweeps: Vec<_> = sweeps.iter().map(|at| Duration::from_millis(*at)).collect();
    let wrong = deliver(&world, &sweeps);
    (world, wrong)
}

fn assert_right(world: &World, wrong: &[String]) -> Result<(), TestCaseError> {
    prop_assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        world.history.told()
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// EC2 lags longer than events are on their way, and never goes back.
    #[test]
    fn what_events_prove_is_waited_for(changes in changes(), sweeps in sweeps(), seed in any::<u64>(), lag in 0..9_000_u64, hub_lag in 0..4_000_u64, faults in 0..60_u64) {
        let weather = Weather { is_monotone: true, lag, delivery: 0, hub_lag, faults, is_loose: false };
        let (world, mut wrong) = simulate(weather, &changes, &sweeps, seed);
        wrong.extend(checks::of_end(&world));
        assert_right(&world, &wrong)?;
    }

    /// EC2's answers go back and forth, for no longer than events are on their way.
    #[test]
    fn whatever_comes_and_goes_the_last_evaluation_counts(changes in changes(), sweeps in sweeps(), seed in any::<u64>(), lag in 0..4_000_u64, faults in 0..60_u64) {
        let weather = Weather { is_monotone: false, lag, delivery: lag, hub_lag: 0, faults, is_loose: true };
        let (world, mut wrong) = simulate(weather, &changes, &sweeps, seed);
        wrong.extend(checks::of_end(&world));
        assert_right(&world, &wrong)?;
    }

    /// Anything: what is published was seen, whoever is named opened it, nothing proven is withheld.
    #[test]
    fn no_run_says_more_than_it_saw(changes in changes(), sweeps in sweeps(), seed in any::<u64>(), is_monotone in any::<bool>(), lag in 0..20_000_u64, hub_lag in 0..10_000_u64, faults in 0..200_u64) {
        let weather = Weather { is_monotone, lag, delivery: 0, hub_lag, faults, is_loose: true };
        let (world, wrong) = simulate(weather, &changes, &sweeps, seed);
        assert_right(&world, &wrong)?;
    }
}
