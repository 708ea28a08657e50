//! How long the policy takes for all groups of a file, without reading and printing. `make bench` runs it.
//!
//! usage: policy FILE ROUNDS. Prints the seconds of each round as JSON: of all groups, and once more of those that passed.
//! Groups are evaluated as in `check`, soon after they were read: a few at a time, and only the evaluation counts.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::input::GroupReader;
use sg_trust::model::SecurityGroup;
use sg_trust::policy::{ReferencedGroups, Settings, Status, day_of};

/// Groups that are read before they are evaluated: `published.py` has as many.
const AT_A_TIME: usize = 100;

fn main() -> anyhow::Result<()> {
    // Cargo adds options of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let (Some(path), Some(rounds)) = (arguments.next(), arguments.next()) else {
        writeln!(
            std::io::stderr(),
            "usage: policy FILE ROUNDS (make bench gives them)"
        )?;
        return Ok(());
    };
    let policy = Settings::default();
    let mut seconds = Vec::new();
    for _ in 0..rounds.parse()? {
        let (of_all, of_passed) = round(&path, &policy)?;
        seconds.push((of_all.as_secs_f64(), of_passed.as_secs_f64()));
    }
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&seconds)?)?;
    Ok(())
}

fn round(path: &str, policy: &Settings) -> anyhow::Result<(Duration, Duration)> {
    let file = File::open(path).context(path.to_owned())?;
    let mut documents = GroupReader::new(path, BufReader::new(file));
    let (peers, today) = (ReferencedGroups::default(), day_of(Timestamp::now()));
    let evaluate = |groups: &[SecurityGroup]| {
        let began = Instant::now();
        for group in groups {
            black_box(sg_trust::policy::evaluate(
                policy,
                black_box(group),
                &peers,
                today,
            ));
        }
        began.elapsed()
    };
    let (mut of_all, mut of_passed) = (Duration::ZERO, Duration::ZERO);
    loop {
        let mut groups: Vec<SecurityGroup> = documents
            .by_ref()
            .take(AT_A_TIME)
            .collect::<Result<_, _>>()?;
        if groups.is_empty() {
            return Ok((of_all, of_passed));
        }
        of_all += evaluate(&groups);
        groups.retain(|group| {
            sg_trust::policy::evaluate(policy, group, &peers, today).status == Status::Passed
        });
        of_passed += evaluate(&groups);
    }
}
