//! The engine with a fake source and a fake store: what goes wrong between EC2 and Security Hub.

mod attribution;
mod events;
mod looks;
mod sweep;
