//! How long the policy takes for all groups of a file, without reading and printing. `make bench` runs it.
//!
//! usage: policy FILE ROUNDS. Prints the seconds of each round as JSON.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Write as _};
use std::time::Instant;

use anyhow::Context as _;
use sg_trust::model::SecurityGroup;
use sg_trust::policy::Policy;
use sg_trust::source::documents::Documents;

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
    let file = File::open(&path).context(path.clone())?;
    let groups: Vec<SecurityGroup> =
        Documents::new(&path, BufReader::new(file)).collect::<Result<_, _>>()?;
    let policy = Policy::default();
    let mut seconds = Vec::new();
    for _ in 0..rounds.parse()? {
        let began = Instant::now();
        for group in &groups {
            black_box(policy.evaluate(black_box(group)));
        }
        seconds.push(began.elapsed().as_secs_f64());
    }
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&seconds)?)?;
    Ok(())
}
