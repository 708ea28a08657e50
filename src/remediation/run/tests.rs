//! Plans carried out and undone on an EC2 that answers late, twice, or not at all, by a program that is killed anywhere.

mod world;

use proptest::prelude::*;

use self::world::World;
use super::*;
use crate::policy::Settings;
use crate::remediation::plan::Request;
use crate::remediation::plan::tests::{from_group, rule, rules, with_planner};
use crate::remediation::replace;
use crate::remediation::rule::IngressRule;

const RUN: &str = "20261124T221000Z-1a2b3c4d5e6f";

/// The lines of a journal; it dies before, while or after it writes one.
#[derive(Debug, Default)]
struct Lines {
    text: String,
    /// After how many entries, and how much of the next one is written.
    dies: Option<(usize, f64)>,
    written: usize,
}

impl Log for Lines {
    fn append(&mut self, entry: Entry) -> io::Result<()> {
        let line = entry.to_line().unwrap();
        if let Some((after, part)) = self.dies
            && self.written >= after
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a part of a line"
            )]
            let cut = (line.len() as f64 * part) as usize;
            self.text += line.get(..cut).unwrap_or(&line);
            return Err(io::Error::other("killed"));
        }
        self.written += 1;
        self.text += &line;
        Ok(())
    }
}

/// The fake is ready at once, so its work can be polled to its end in place.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        std::task::Poll::Ready(end) => end,
        std::task::Poll::Pending => unreachable!("the fake waits for nothing"),
    }
}

fn request(replace: &str) -> Request {
    Request {
        replace: if replace.is_empty() {
            Vec::new()
        } else {
            replace::parse(replace).unwrap()
        },
        ..Request::default()
    }
}

/// The plan that is shown, and the journal with it as its first line; none when there is nothing to do.
fn planned(world: &World, request: &Request) -> Option<(PlanDocument, Lines)> {
    let plan = with_planner(&Settings::default(), request, |planner| {
        planner.plan(&world.now())
    })
    .unwrap();
    let document = PlanDocument::of(&plan).unwrap();
    let journal = Journal::new(RUN.to_owned(), document.digest.clone(), document.clone()).unwrap();
    let mut lines = Lines::default();
    lines.append(journal.planned()).unwrap();
    (!plan.groups.is_empty()).then_some((document, lines))
}

/// One start of the program, as the command line runs it: what the journal says, checked, dry-run, carried out.
fn start(world: &World, document: &PlanDocument, lines: &mut Lines) -> Result<(), RunError> {
    let (journal, whole) = Journal::parse(&lines.text).unwrap();
    lines.text.truncate(whole);
    with_planner(&Settings::default(), &document.request(), |planner| {
        block_on(check(world, planner, document, Some(&journal)))
    })?;
    block_on(dry_run(world, &journal.remaining()))?;
    block_on(carry_out(world, &journal, lines))
}

fn start_undo(world: &World, lines: &mut Lines) -> Result<Vec<RunError>, RunError> {
    let (journal, whole) = Journal::parse(&lines.text).unwrap();
    lines.text.truncate(whole);
    block_on(async {
        let UndoPlan { steps, gone } = plan_undo(world, &journal).await?;
        assert!(gone.is_empty());
        undo(world, &journal, &steps, lines).await
    })
}

/// Rules without their ids, which are new after an undo.
fn effects(rules: &[IngressRule]) -> Vec<IngressRule> {
    let mut rules = rules.to_vec();
    for rule in &mut rules {
        rule.rule_id = None;
    }
    rules.sort();
    rules
}

fn open_world() -> World {
    World::new(vec![
        rule(1, from_group("sg-0b", None), "-1", None),
        rule(2, from_group("sg-0b", Some("pcx-1")), "-1", None),
        rule(3, from_group("sg-0c", None), "tcp", Some((0, 65_535))),
        rule(4, from_group("sg-0c", None), "tcp", Some((22, 22))),
        rule(6, from_group("sg-0d", None), "-1", None),
    ])
}

/// The rules that must be there after the plan was carried out.
fn expected(document: &PlanDocument) -> Vec<IngressRule> {
    let journal = Journal::new(RUN.to_owned(), String::new(), document.clone()).unwrap();
    let made = journal.steps().iter();
    let made = made.filter(|step| step.action == Action::Authorize);
    let kept = document.groups.iter().flat_map(|group| &group.keeps);
    let kept: Vec<_> = kept.map(|rule| rule.rule().unwrap()).collect();
    let made: Vec<_> = made.map(|step| step.rule.clone()).collect();
    without_tags(&[kept, made].concat())
}

fn without_tags(rules: &[IngressRule]) -> Vec<IngressRule> {
    let mut rules = effects(rules);
    for rule in &mut rules {
        rule.tags = None;
        if rule.peer.group().is_none() {
            rule.description = None;
        }
    }
    rules.sort();
    rules
}

/// Killed before, while and after each line of the journal, and before and after each call: the same file goes on.
#[test]
fn a_run_that_is_killed_anywhere_goes_on_and_is_undone_by_the_same_file() {
    let mut points = 0;
    for replace in ["", "tcp:443,5432"] {
        let calls = {
            let world = open_world();
            let (document, mut lines) = planned(&world, &request(replace)).unwrap();
            start(&world, &document, &mut lines).unwrap();
            assert_eq!(without_tags(&world.rules()), expected(&document));
            (world.calls(), lines.written)
        };
        let kills = (0..=calls.0)
            .flat_map(|call| [(Some((call, false)), None), (Some((call, true)), None)])
            .chain(
                (1..=calls.1)
                    .flat_map(|entry| [0.0, 0.5, 1.0].map(|part| (None, Some((entry, part))))),
            );
        for (of_call, of_log) in kills {
            for looks_back in [0, 1, 3] {
                for is_undone_at_once in [false, true] {
                    let world = open_world();
                    let original = world.rules();
                    let (document, mut lines) = planned(&world, &request(replace)).unwrap();
                    world.kill_at(of_call);
                    lines.dies = of_log;
                    let first = start(&world, &document, &mut lines);
                    lines.dies = None;
                    world.kill_at(None);
                    world.show_late(looks_back);
                    points += 1;
                    if !is_undone_at_once {
                        start(&world, &document, &mut lines).unwrap();
                        assert_eq!(
                            without_tags(&world.rules()),
                            expected(&document),
                            "{of_call:?} {of_log:?} {first:?}"
                        );
                        world.show_late(looks_back);
                    }
                    let failures = start_undo(&world, &mut lines).unwrap();
                    assert!(failures.is_empty(), "{failures:?}");
                    assert_eq!(
                        effects(&world.rules()),
                        effects(&original),
                        "{of_call:?} {of_log:?} {looks_back}"
                    );
                }
            }
        }
    }
    assert!(points > 200, "{points}");
}

#[test]
fn an_undo_that_is_killed_anywhere_goes_on() {
    let calls = {
        let world = open_world();
        let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
        start(&world, &document, &mut lines).unwrap();
        let before = world.calls();
        start_undo(&world, &mut lines).unwrap();
        (before, world.calls())
    };
    for call in calls.0..=calls.1 {
        for is_after in [false, true] {
            for looks_back in [0, 2] {
                let world = open_world();
                let original = world.rules();
                let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
                start(&world, &document, &mut lines).unwrap();
                world.kill_at(Some((call, is_after)));
                let _ = start_undo(&world, &mut lines);
                world.kill_at(None);
                world.show_late(looks_back);
                for _ in 0..2 {
                    assert!(start_undo(&world, &mut lines).unwrap().is_empty());
                    assert_eq!(effects(&world.rules()), effects(&original), "{call}");
                }
            }
        }
    }
}

#[test]
fn a_group_that_was_changed_is_not_touched_and_its_own_steps_are_no_change() {
    let foreign = rule(9, from_group("sg-0e", None), "tcp", Some((80, 80)));
    // Before the first call.
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("")).unwrap();
    world.add(foreign.clone());
    let calls = world.changes();
    let refused = start(&world, &document, &mut lines).unwrap_err();
    let RunError::Changed(differences) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(differences[0].new.len(), 1);
    assert_eq!(differences[0].new[0].rule_id, foreign.rule_id);
    assert!(differences[0].gone.is_empty());
    assert_eq!(world.changes(), calls);
    // In the middle.
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("")).unwrap();
    lines.dies = Some((3, 0.0));
    start(&world, &document, &mut lines).unwrap_err();
    lines.dies = None;
    world.add(foreign);
    let calls = world.changes();
    let refused = start(&world, &document, &mut lines).unwrap_err();
    assert!(matches!(refused, RunError::Changed(_)), "{refused:?}");
    assert_eq!(world.changes(), calls);
}

#[test]
fn a_denied_dry_run_stops_everything_before_anything_is_done() {
    for denied in 0..5 {
        let world = open_world();
        let before = world.rules();
        let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
        world.deny_dry_run(denied);
        let refused = start(&world, &document, &mut lines).unwrap_err();
        assert!(matches!(refused, RunError::DryRun { .. }), "{refused:?}");
        assert_eq!(world.rules(), before);
        assert_eq!(
            lines.written, 1,
            "nothing but the plan stands in the journal"
        );
    }
}

#[test]
fn a_rule_that_somebody_else_allowed_meanwhile_is_not_taken_away_by_undo() {
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
    let foreign = rule(8, from_group("sg-0b", None), "tcp", Some((443, 443)));
    world.add_after_dry_run(foreign.clone());
    start(&world, &document, &mut lines).unwrap();
    start_undo(&world, &mut lines).unwrap();
    let mut wanted = open_world().rules();
    wanted.push(foreign);
    assert_eq!(effects(&world.rules()), effects(&wanted));
}

#[test]
fn a_quota_that_refuses_a_restored_rule_costs_no_access() {
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
    start(&world, &document, &mut lines).unwrap();
    let applied = world.rules();
    world.limit(applied.len() + 1);
    let failures = start_undo(&world, &mut lines).unwrap();
    assert!(!failures.is_empty());
    for rule in &applied {
        assert!(world.rules().contains(rule), "{rule:?} was taken away");
    }
    world.limit(usize::MAX);
    assert!(start_undo(&world, &mut lines).unwrap().is_empty());
    assert_eq!(effects(&world.rules()), effects(&open_world().rules()));
}

#[test]
fn a_group_that_is_gone_is_told_and_nothing_is_made_for_it() {
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("tcp:443")).unwrap();
    start(&world, &document, &mut lines).unwrap();
    world.delete();
    let (journal, _) = Journal::parse(&lines.text).unwrap();
    let plan = block_on(plan_undo(&world, &journal)).unwrap();
    assert_eq!(plan.gone, journal.group_ids());
    assert!(plan.steps.is_empty());
}

#[test]
fn a_rule_that_somebody_gave_back_without_its_tags_gets_them() {
    let world = open_world();
    let (document, mut lines) = planned(&world, &request("")).unwrap();
    start(&world, &document, &mut lines).unwrap();
    let bare = IngressRule {
        tags: Some(std::collections::BTreeMap::new()),
        ..rule(9, from_group("sg-0c", None), "tcp", Some((0, 65_535)))
    };
    world.add(bare);
    assert!(start_undo(&world, &mut lines).unwrap().is_empty());
    assert_eq!(effects(&world.rules()), effects(&open_world().rules()));
}

#[test]
fn a_file_that_is_no_journal_is_refused_with_the_reason() {
    let world = open_world();
    let (_, lines) = planned(&world, &request("")).unwrap();
    let whole = lines.text.clone();
    let said = |text: &str| Journal::parse(text).unwrap_err().to_string();
    let cut = whole.get(..whole.len() / 2).unwrap();
    assert_eq!(said(""), said(cut));
    let told = [
        said(cut),
        said("{}\n"),
        said(&format!("{whole}{whole}")),
        said(&whole.replace("sgr-1", "sgr-7")),
        said(&format!(
            "{whole}{{\"event\":\"begun\",\"step\":99,\"action\":\"revoke\",\"group_id\":\"sg-0a\"}}\n"
        )),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    it holds no whole plan: nothing was done by it. Remove it, or give another file
    line 1 is not one of an undo file: missing field `event` at line 1 column 2
    line 2 does not belong there
    its plan cannot be used: the plan was changed after it was made: its digest is not that of what stands in it. Make the plan anew
    line 2 does not belong there
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_group_is_mended_and_given_back_whatever_goes_wrong(
        drawn in rules(), with_replace in any::<bool>(), faults in prop::collection::vec(world::fault(), 0..40), late in 0_usize..4,
    ) {
        let world = World::new(drawn.clone());
        let request = request(if with_replace { "tcp:8443" } else { "" });
        let Some((document, mut lines)) = planned(&world, &request) else {
            return Ok(());
        };
        world.go_wrong(&faults);
        let mut starts = 0;
        while let Err(error) = start(&world, &document, &mut lines) {
            starts += 1;
            world.show_late(late);
            prop_assert!(starts <= faults.len(), "{error:?}");
        }
        prop_assert_eq!(without_tags(&world.rules()), expected(&document));
        world.show_late(late);
        let mut starts = 0;
        loop {
            starts += 1;
            match start_undo(&world, &mut lines) {
                Ok(failures) if failures.is_empty() => break,
                other => prop_assert!(starts <= faults.len() + 1, "{:?}", other),
            }
            world.show_late(late);
        }
        prop_assert_eq!(effects(&world.rules()), effects(&drawn));
        // Once more: nothing changes.
        world.go_wrong(&[]);
        prop_assert!(start_undo(&world, &mut lines).unwrap().is_empty());
        prop_assert_eq!(effects(&world.rules()), effects(&drawn));
    }
}
