//! How a violation is mended: the commands for it, and a plan that is shown, carried out rule by rule, and undone.
//!
//! | module | has |
//! |---|---|
//! | [`carriers`] | who carries a group: who loses access |
//! | [`command`] | the commands for one violation, ready for a shell |
//! | [`rule`] | ingress rules by their ids |
//! | [`replace`] | what is allowed in place of what is revoked |
//! | [`managed`] | whether a tool keeps a group as it is |
//! | [`plan`] | which rules of which groups are revoked, and what stays |
//! | [`journal`] | the undo file: what was planned, begun and done |
//! | [`apply`], [`undo`] | what is next, by the journal and the rules of today |
//! | [`run`] | the calls, made one by one on EC2 or on what stands for it |

pub mod apply;
pub mod carriers;
pub mod command;
pub mod journal;
pub mod managed;
pub mod plan;
pub mod replace;
pub mod rule;
pub mod run;
pub mod undo;
