//! What `graph` and `reach` have in common: files read into a trust graph, and groups found in it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, Read as _};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use sg_trust::graph::{Builder, Origin, Targets, Trust, TrustGraph, Walk};
use sg_trust::input::{GroupReader, InputError, interfaces_beside_groups, read_interfaces};
use sg_trust::model::{NetworkInterface, Region, SecurityGroup};
use sg_trust::policy::{Settings, day_of};

use crate::input::{files, open, read};
use crate::region::place_of;
use crate::terminal::Terminal;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TrustArgument {
    /// Follows trust that the policy does not allow, exempt or not.
    Open,
    /// Follows any port of tcp, udp or another protocol but ICMP.
    Any,
}

impl From<TrustArgument> for Trust {
    fn from(argument: TrustArgument) -> Self {
        match argument {
            TrustArgument::Open => Self::Open,
            TrustArgument::Any => Self::Any,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Input {
    #[command(flatten)]
    files: Files,
    /// Takes only those groups for internet-facing that are on an interface with a public address.
    #[arg(long)]
    pub(crate) exposed_only: bool,
}

/// Files that a trust graph is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// Files with security groups, or directories of such files, of any accounts and Regions; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Files with network interfaces, or directories of such files: the output of `aws ec2 describe-network-interfaces`.
    #[arg(long = "interfaces", value_name = "FILE")]
    interfaces: Vec<String>,
}

/// A graph, and what could not be used of what was given.
pub(crate) struct ReadGraph {
    pub(crate) graph: TrustGraph,
    pub(crate) troubles: Vec<String>,
}

/// Looks at each group as it is read, with its Region where its ARN tells it.
pub(crate) type Observer<'o> = &'o mut dyn FnMut(&SecurityGroup, Option<&Region>);

impl Files {
    /// Reads the files; exemptions end as of a day in UTC. What cannot be used is named.
    pub(crate) fn read_with(
        &self,
        policy: &Settings,
        today: Date,
        terminal: &mut Terminal,
        observer: Observer<'_>,
    ) -> anyhow::Result<ReadGraph> {
        let mut reading = Reading {
            builder: Builder::new(policy, today),
            troubles: Vec::new(),
            terminal,
            observer,
        };
        for file in reading.all_files(&self.files) {
            if let Err(error) = reading.groups(&file) {
                reading.complain(&format!("{error:#}"));
            }
        }
        for file in reading.all_files(&self.interfaces) {
            match read(&file) {
                Ok((name, text)) => reading.interfaces(read_interfaces(name, &text)),
                Err(error) => reading.complain(&format!("{error:#}")),
            }
        }
        Ok(ReadGraph {
            graph: reading.builder.finish(),
            troubles: reading.troubles,
        })
    }
}

impl Input {
    /// Reads the files. What cannot be used is named.
    pub(crate) fn read(
        &self,
        policy: &Settings,
        terminal: &mut Terminal,
    ) -> anyhow::Result<ReadGraph> {
        let today = day_of(Timestamp::now());
        let read = self
            .files
            .read_with(policy, today, terminal, &mut |_, _| {})?;
        if self.exposed_only {
            self.check_exposed(&read.graph, terminal)?;
        }
        Ok(read)
    }

    fn check_exposed(&self, graph: &TrustGraph, terminal: &mut Terminal) -> anyhow::Result<()> {
        if !graph.has_interfaces() {
            bail!(
                "--exposed-only needs network interfaces: give --interfaces FILE, the output of `aws ec2 describe-network-interfaces`"
            );
        }
        let is_unknown = |group: &&sg_trust::graph::Group| {
            group.internet.is_facing() && group.carriers.is_none()
        };
        let unknown = graph.groups().iter().filter(is_unknown).count();
        if unknown > 0 {
            terminal.say(&format!(
                "{unknown} internet-facing security group(s) of VPCs without network interfaces count as not exposed"
            ));
        }
        Ok(())
    }
}

struct Reading<'a, 't> {
    builder: Builder<'a>,
    troubles: Vec<String>,
    terminal: &'t mut Terminal,
    observer: Observer<'t>,
}

impl Reading<'_, '_> {
    fn complain(&mut self, message: &str) {
        self.troubles.push(message.to_owned());
        self.terminal.complain(message);
    }

    fn all_files(&mut self, paths: &[String]) -> Vec<String> {
        let mut all = Vec::new();
        for path in paths {
            match files(path) {
                Ok(files) => all.extend(files),
                Err(error) => self.complain(&format!("{error:#}")),
            }
        }
        all
    }

    /// Reads groups, and the network interfaces beside them.
    fn groups(&mut self, path: &str) -> anyhow::Result<()> {
        let (name, mut reader) = open(path)?;
        if path == "-" {
            let mut bytes = Vec::new();
            reader
                .read_to_end(&mut bytes)
                .with_context(|| format!("{name}: cannot be read"))?;
            self.read_groups(name, bytes.as_slice());
            self.interfaces(interfaces_beside_groups(
                name,
                &String::from_utf8_lossy(&bytes),
            ));
            return Ok(());
        }
        self.read_groups(name, reader);
        if let Some(text) = text_with_interfaces(path)? {
            self.interfaces(interfaces_beside_groups(name, &text));
        }
        Ok(())
    }

    fn read_groups(&mut self, name: &str, reader: impl BufRead) {
        let work = |group: SecurityGroup| group;
        let done: Result<(), std::convert::Infallible> =
            GroupReader::new(name, reader).for_each(work, |_, group| {
                match group {
                    Ok(group) => {
                        let region = place_of(&group).map(|(_, region)| region);
                        (self.observer)(&group, region.as_ref());
                        if let Err(differs) = self.builder.group(&group, region) {
                            self.complain(&format!("{name}: {differs}"));
                        }
                    }
                    Err(error) => self.complain(&error.to_string()),
                }
                Ok(())
            });
        match done {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    fn interfaces(&mut self, read: Vec<Result<NetworkInterface, InputError>>) {
        for interface in read {
            match interface {
                Ok(interface) => self.builder.interface(interface),
                Err(error) => self.complain(&error.to_string()),
            }
        }
    }
}

/// The text of a file, if network interfaces may be in it: most files of groups have none, and are large.
fn text_with_interfaces(path: &str) -> anyhow::Result<Option<String>> {
    const LIST: &[u8] = b"\"NetworkInterfaces\"";
    let unreadable = || format!("{path}: cannot be read");
    let mut file = File::open(path).with_context(unreadable)?;
    let mut window = Vec::new();
    loop {
        // What stands over the end of one piece begins in its last bytes.
        let kept = window.len().saturating_sub(LIST.len() - 1);
        window.drain(..kept);
        let piece = file
            .by_ref()
            .take(1 << 20)
            .read_to_end(&mut window)
            .with_context(unreadable)?;
        if memchr::memmem::find(&window, LIST).is_some() {
            let bytes = std::fs::read(path).with_context(unreadable)?;
            let text: Cow<'_, str> = String::from_utf8_lossy(&bytes);
            return Ok(Some(text.into_owned()));
        }
        if piece == 0 {
            return Ok(None);
        }
    }
}

/// The groups that `--to` means: an id, a name, or `level:` and a level of sensitivity.
pub(crate) fn find_targets(
    graph: &TrustGraph,
    policy: &Settings,
    text: &str,
) -> anyhow::Result<Targets> {
    let Some(level) = text.strip_prefix("level:") else {
        let group = graph.find_group(text)?;
        let id = graph.group(group).map(|group| group.group_id.to_string());
        return Ok(Targets {
            label: id.unwrap_or_default(),
            groups: vec![group],
        });
    };
    let Some(sensitivity) = &policy.sensitivity else {
        bail!(
            "{text}: the settings have no [sensitivity], which says how sensitive groups are (--policy FILE)"
        );
    };
    let Some(found) = sensitivity.find(level) else {
        bail!("{text}: the levels are {}", sensitivity.levels.join(", "));
    };
    let name = sensitivity.name(found);
    let is_of_level = |index: &sg_trust::graph::GroupIndex| {
        graph
            .group(*index)
            .is_some_and(|group| group.level.as_deref() == Some(name.as_str()))
    };
    let groups: Vec<_> = graph.indices().filter(is_of_level).collect();
    if groups.is_empty() {
        bail!(
            "{text}: no security group has this level: does the tag {} tell it?",
            sensitivity.tag
        );
    }
    Ok(Targets {
        label: format!("level:{name}"),
        groups,
    })
}

/// What `--from` means: the internet, or a group or source by its id or name.
pub(crate) fn find_origin(graph: &TrustGraph, text: &str) -> anyhow::Result<Origin> {
    if text == "internet" {
        return Ok(Origin::Internet);
    }
    Ok(graph.find_source(text)?)
}

/// The graph as it is walked.
pub(crate) fn walk<'a>(graph: &'a TrustGraph, trust: TrustArgument, input: &Input) -> Walk<'a> {
    Walk::new(graph, trust.into(), input.exposed_only)
}
