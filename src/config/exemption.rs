//! `[[exemption]]`: what an exemption says, and whether it may excuse that.
//!
//! Whoever may tag or name a group could excuse it. So an exemption that is matched only by a name or by a tag that people
//! choose is refused unless it says `self_service = true`. One that does not say how much it accepts is refused unless it
//! is about the group itself: an accepted range that is widened later must reach people again.

use jiff::civil::Date;
use toml::Spanned;
use toml::value::Datetime;

use super::document::Wrong;
use super::tables::{
    ALLOWS, AllowTable, AllowValue, ExemptionTable, ProtocolValue, SOURCES, SourceTable,
    SourceValue, TargetTable, Whole,
};
use crate::model::ports::PortSet;
use crate::model::{AccountId, GroupId, Protocol, VpcId};
use crate::policy::exemption::{
    Allow, AllowedTraffic, Exemption, Glob, SourceMatch, TagMatch, TargetMatch,
};
use crate::text::{is_deceptive, utf16_len};

/// Shortest reason, in characters.
const SHORTEST_REASON: usize = 10;
/// Longest owner, in characters.
const LONGEST_OWNER: usize = 256;
/// Tags whose values AWS chooses. Of other tags under `aws:` people choose the value: whoever creates a stack types its
/// name.
const AWS_TAGS: [&str; 2] = ["aws:eks:cluster-name", "aws:autoscaling:groupName"];
/// The widest protocol number.
const PROTOCOLS: i64 = 255;

/// An exemption that is written well.
pub(super) enum Candidate {
    Holds(Box<Exemption>),
    /// It excuses more than it may, or does not say how much.
    Refused(Vec<Wrong>),
}

impl ExemptionTable {
    pub(super) fn read(self) -> Result<Candidate, Wrong> {
        if self.id.get_ref().trim().is_empty() {
            return Err(Wrong::at(&self.id, "it is empty"));
        }
        let reason = reason(&self.reason)?;
        let owner = self.owner.as_ref().map(owner).transpose()?;
        let until = self.until.as_ref().map(day).transpose()?;
        let target = self.target.get_ref().read()?;
        let source = source(&self.source)?;
        let mut refusals = Vec::new();
        refusals.extend(self.refuse_target(&target));
        let allow = match self.allow(&source) {
            Ok(allow) => Some(allow),
            Err(refusal) => {
                refusals.push(refusal);
                None
            }
        };
        Ok(match allow {
            Some(allow) if refusals.is_empty() => Candidate::Holds(Box::new(Exemption {
                id: self.id.into_inner(),
                reason,
                owner,
                until,
                self_service: self.self_service,
                target,
                source,
                allow,
            })),
            _ => Candidate::Refused(refusals),
        })
    }

    /// Why the target is refused, if it is.
    fn refuse_target(&self, target: &TargetMatch) -> Option<Wrong> {
        let refuse = |why: &str| {
            let id = self.id.get_ref();
            Some(Wrong::at(
                &self.target,
                format!("exemption {id:?} does not hold: {why}"),
            ))
        };
        let TargetMatch {
            id,
            name,
            vpc,
            account,
            tag,
            default,
        } = target;
        if self
            .target
            .get_ref()
            .default
            .as_ref()
            .is_some_and(|default| !default.get_ref())
        {
            return refuse("default can only be true: leave it out");
        }
        let is_aws_tag = |tag: &TagMatch| AWS_TAGS.contains(&tag.key.as_str());
        let by_others =
            id.is_some() || vpc.is_some() || *default || tag.as_ref().is_some_and(is_aws_tag);
        let what = match (name, tag) {
            _ if by_others || self.self_service => return None,
            (None, None) if account.is_some() => return None,
            (None, None) => {
                return refuse(
                    "it matches every group: give at least one of id, name, vpc, account, tag and default",
                );
            }
            (Some(_), None) => "a name",
            (None, Some(_)) => "a tag that people choose",
            (Some(_), Some(_)) => "a name and a tag that people choose",
        };
        let beside = match account {
            Some(_) => " (account narrows nothing: whoever could set that is in the account)",
            None => "",
        };
        refuse(&format!(
            "it matches only by {what}{beside}, so whoever may set that could excuse a group: match by id, vpc, default = true \
             or a tag whose value AWS chooses ({}) too, or say self_service = true",
            AWS_TAGS.join(", ")
        ))
    }

    /// The widest traffic that is accepted, or why what is said of it is refused.
    fn allow(&self, source: &SourceMatch) -> Result<Allow, Wrong> {
        let id = self.id.get_ref();
        let does_not_hold = |why: String| format!("exemption {id:?} does not hold: {why}");
        match (&self.allow, source) {
            (None, SourceMatch::Itself) => Ok(Allow::AllTraffic),
            (None, _) => Err(Wrong::missing(
                &self.source,
                "allow",
                does_not_hold(
                    "allow is missing. Write the widest traffic that is accepted: allow = \"all-traffic\", or for example \
                     allow = { protocol = \"tcp\", ports = [[1024, 65535]] }; `sg-trust explain` prints the line that a \
                     violation needs"
                        .to_owned(),
                ),
            )),
            (Some(allow), _) => match allow.get_ref() {
                AllowValue::Text(text) if text == "all-traffic" => Ok(Allow::AllTraffic),
                AllowValue::Text(text) => Err(Wrong::at(
                    allow,
                    does_not_hold(format!("{text:?} is not {ALLOWS}")),
                )),
                AllowValue::Tables(tables) if tables.is_empty() => {
                    Err(Wrong::at(allow, does_not_hold("it allows nothing".to_owned())))
                }
                AllowValue::Tables(tables) => {
                    let traffic = tables.iter().map(|table| table.read(allow));
                    let traffic = traffic.collect::<Result<_, _>>();
                    traffic
                        .map(Allow::Traffic)
                        .map_err(|wrong| wrong.explained(does_not_hold))
                }
            },
        }
    }
}

impl AllowTable {
    /// The value that it stands in is for errors.
    fn read(&self, allow: &Spanned<AllowValue>) -> Result<AllowedTraffic, Wrong> {
        let missing = |what: &str| Wrong::at(allow, format!("{what}: write {ALLOWS}"));
        let ports = self.ports.as_ref();
        let ports = ports.ok_or_else(|| missing("it has no `ports`"))?;
        let protocol = self.protocol.as_ref();
        let protocol = protocol.ok_or_else(|| missing("it has no `protocol`"))?;
        let ranges = ports.get_ref();
        if ranges.is_empty() {
            return Err(Wrong::at(ports, "it has no range of ports"));
        }
        let port = |Whole(number): &Whole| u16::try_from(*number).ok();
        let range = |range: &Spanned<Vec<Whole>>| {
            let ends = match range.get_ref().as_slice() {
                [from, to] => port(from).zip(port(to)),
                _ => None,
            };
            ends.filter(|(from, to)| from <= to).ok_or_else(|| {
                let numbers = range.get_ref().iter().map(|Whole(number)| number);
                let numbers: Vec<_> = numbers.map(ToString::to_string).collect();
                let problem = format!(
                    "[{}] is not a range of ports, first and last from 0 to 65535, such as [1024, 65535]",
                    numbers.join(", ")
                );
                Wrong::at(range, problem)
            })
        };
        Ok(AllowedTraffic {
            protocol: read_protocol(protocol)?,
            ports: ranges.iter().map(range).collect::<Result<PortSet, _>>()?,
        })
    }
}

fn read_protocol(protocol: &Spanned<ProtocolValue>) -> Result<Protocol, Wrong> {
    let (number, shown) = match protocol.get_ref() {
        ProtocolValue::Text(name) => match Protocol::new(name) {
            protocol if protocol.has_port_members() => return Ok(protocol),
            _ => (name.parse().ok(), format!("{name:?}")),
        },
        ProtocolValue::Number(number) => (i64::try_from(*number).ok(), number.to_string()),
    };
    number
        .filter(|number| (-1..=PROTOCOLS).contains(number))
        .map(Protocol::from_number)
        .ok_or_else(|| {
            let problem = format!(
                "{shown} is not \"tcp\", \"udp\", \"icmp\", \"icmpv6\", another protocol's number, or -1 for all of them"
            );
            Wrong::at(protocol, problem)
        })
}

fn reason(reason: &Spanned<String>) -> Result<String, Wrong> {
    let text = reason.get_ref();
    let shows = |character: &char| !is_deceptive(*character) && !character.is_control();
    if text.trim().chars().filter(shows).count() < SHORTEST_REASON {
        let problem = format!(
            "{text:?} is shorter than {SHORTEST_REASON} characters: say why the risk is accepted"
        );
        return Err(Wrong::at(reason, problem));
    }
    Ok(text.clone())
}

fn owner(owner: &Spanned<String>) -> Result<String, Wrong> {
    let text = owner.get_ref();
    if text.trim().is_empty() {
        return Err(Wrong::at(owner, "it is empty"));
    }
    if utf16_len(text) > LONGEST_OWNER {
        let problem = format!("it is longer than {LONGEST_OWNER} characters");
        return Err(Wrong::at(owner, problem));
    }
    Ok(text.clone())
}

/// A day of TOML's own kind, without a time.
fn day(date: &Spanned<Datetime>) -> Result<Date, Wrong> {
    let Datetime {
        date: day,
        time,
        offset,
    } = date.get_ref();
    let is_day = time.is_none() && offset.is_none();
    day.filter(|_| is_day)
        .and_then(|day| day.to_string().parse().ok())
        .ok_or_else(|| {
            let problem = format!("{} is not a day such as 2027-06-30", date.get_ref());
            Wrong::at(date, problem)
        })
}

impl TargetTable {
    fn read(&self) -> Result<TargetMatch, Wrong> {
        let vpc = |text: &Spanned<String>| {
            VpcId::parse(text.get_ref())
                .ok_or_else(|| Wrong::at(text, format!("{:?} is not a VPC's id", text.get_ref())))
        };
        let tag = |text: &Spanned<String>| {
            TagMatch::parse(text.get_ref())
                .ok_or_else(|| Wrong::at(text, "a tag is \"key\" or \"key=value\""))
        };
        Ok(TargetMatch {
            id: self.id.as_ref().map(group_id).transpose()?,
            name: self.name.as_ref().map(|name| Glob::new(name.get_ref())),
            vpc: self.vpc.as_ref().map(vpc).transpose()?,
            account: self.account.as_ref().map(account_id).transpose()?,
            tag: self.tag.as_ref().map(tag).transpose()?,
            default: self
                .default
                .as_ref()
                .is_some_and(|default| *default.get_ref()),
        })
    }
}

fn source(source: &Spanned<SourceValue>) -> Result<SourceMatch, Wrong> {
    match source.get_ref() {
        SourceValue::Text(text) => SourceMatch::parse(text)
            .ok_or_else(|| Wrong::at(source, format!("{text:?} is not one of {SOURCES}"))),
        SourceValue::Table(SourceTable { id, account }) => Ok(SourceMatch::Foreign {
            id: group_id(id)?,
            account: account_id(account)?,
        }),
    }
}

fn group_id(text: &Spanned<String>) -> Result<GroupId, Wrong> {
    GroupId::parse(text.get_ref()).ok_or_else(|| {
        let problem = format!("{:?} is not a security group's id", text.get_ref());
        Wrong::at(text, problem)
    })
}

fn account_id(text: &Spanned<String>) -> Result<AccountId, Wrong> {
    let account = AccountId::new(text.get_ref().as_str());
    if account.is_well_formed() {
        Ok(account)
    } else {
        let problem = format!("{:?} is not an account's 12 digits", text.get_ref());
        Err(Wrong::at(text, problem))
    }
}
