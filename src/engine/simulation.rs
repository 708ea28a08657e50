//! A simulation: random histories of a few groups, told to several instances of the function side by side, late, repeatedly
//! and in any order, while EC2 lags, calls fail, and sweeps come between. Time is the tests' own, so that days pass at once.
//!
//! What holds of every run and in the end stands in [`checks`]. Where EC2's answers may lag longer than an event is on its
//! way, the end is right only if no answer is older than one before it, and if no rule comes and goes within the lag:
//! nothing that a function without memory could ask tells such states apart. The next sweep does.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use proptest::prelude::*;

use super::clock::Clock as _;
use super::testing::{ALL, TestClock, context, group};
use crate::config;
use crate::finding::{Attribution, Cause, Finding, Subject};
use crate::policy::{self, ReferencedGroups, Settings};
use changes::{Change, changes};
use checks::After;
use delivery::{Message, deliver, deliveries};
use history::History;
use world::{Weather, World};

mod changes;
mod checks;
mod delivery;
mod history;
mod hub;
mod telling;
mod world;

/// An exemption of the self-reference of the first group; sometimes rules are named by their ids.
fn settings(seed: u64) -> Settings {
    let text = r#"
[[exemption]]
id = "itself"
reason = "it may let itself in"
target = { id = "sg-a0000000000000000" }
source = "self"
"#;
    Settings {
        rule_ids: seed.is_multiple_of(3),
        ..config::read("policy.toml", text).unwrap().settings
    }
}

/// Milliseconds at which sweeps begin.
fn sweeps() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(0..120_000_u64, 0..4)
}

/// A world in which everything was delivered, and what was wrong.
fn simulate(
    weather: Weather,
    changes: &[Change],
    sweeps: &[u64],
    seed: u64,
) -> (World, Vec<String>) {
    TestClock.reset();
    let history = History::of(changes, &weather);
    let world = World::new(settings(seed), history, weather, seed);
    let sweeps = sweeps
        .iter()
        .map(|at| (Duration::from_millis(*at), Message::Sweep));
    let wrong = deliver(&world, deliveries(&world).chain(sweeps));
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

/// What somebody imported into the hub, dated in years.
#[derive(Debug, Clone)]
struct Import {
    group: usize,
    years: i64,
    is_archived: bool,
}

fn imports() -> impl Strategy<Value = Vec<Import>> {
    let import = (0..5_usize, -1..80_i64, any::<bool>());
    let import = import.prop_map(|(group, years, is_archived)| Import {
        group,
        years,
        is_archived,
    });
    proptest::collection::vec(import, 0..4)
}

fn import(world: &World, import: &Import) {
    let ids: Vec<_> = world.history.groups.keys().cloned().collect();
    let id = ids[import.group % ids.len()].clone();
    let subject = if import.is_archived {
        Subject::Gone
    } else {
        let group = group(id.as_str(), &[ALL]);
        let unknown = ReferencedGroups::default();
        let verdict = policy::evaluate(&world.settings, &group, &unknown, Date::MIN);
        Subject::Evaluated(Box::new(group), verdict)
    };
    world.import(&Finding {
        context: context(),
        observed_at: TestClock.now() + SignedDuration::from_hours(import.years * 365 * 24),
        group_id: id,
        subject,
        attribution: Attribution::default(),
        cause: Cause::Event,
    });
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// EC2 lags longer than events are on their way, and never goes back.
    #[test]
    fn what_events_prove_is_waited_for(changes in changes(), sweeps in sweeps(), seed in any::<u64>(), lag in 0..9_000_u64, hub_lag in 0..4_000_u64, faults in 0..60_u64) {
        let weather = Weather { is_monotone: true, lag, delivery: 0, hub_lag, faults, is_loose: false };
        let (world, mut wrong) = simulate(weather, &changes, &sweeps, seed);
        wrong.extend(checks::of_end(&world, After::Events));
        assert_right(&world, &wrong)?;
    }

    /// EC2's answers go back and forth, for no longer than events are on their way.
    #[test]
    fn whatever_comes_and_goes_the_last_evaluation_counts(changes in changes(), sweeps in sweeps(), seed in any::<u64>(), lag in 0..4_000_u64, faults in 0..60_u64) {
        let weather = Weather { is_monotone: false, lag, delivery: lag, hub_lag: 0, faults, is_loose: true };
        let (world, mut wrong) = simulate(weather, &changes, &sweeps, seed);
        wrong.extend(checks::of_end(&world, After::Events));
        assert_right(&world, &wrong)?;
    }

    /// Anything: what is published was seen, whoever is named opened it, nothing proven is withheld. And whatever the hub
    /// has, a sweep makes it right.
    #[test]
    fn no_run_says_more_than_it_saw_and_a_sweep_mends_the_hub(changes in changes(), sweeps in sweeps(), imports in imports(), seed in any::<u64>(), is_monotone in any::<bool>(), lag in 0..20_000_u64, hub_lag in 0..10_000_u64, faults in 0..200_u64) {
        let weather = Weather { is_monotone, lag, delivery: 0, hub_lag, faults, is_loose: true };
        let (world, mut wrong) = simulate(weather, &changes, &sweeps, seed);
        for one in &imports {
            import(&world, one);
        }
        TestClock.pass(Duration::from_secs(600));
        wrong.extend(deliver(&world, std::iter::once((TestClock.elapsed(), Message::Sweep))));
        wrong.extend(checks::of_end(&world, After::Sweep));
        assert_right(&world, &wrong)?;
    }
}
