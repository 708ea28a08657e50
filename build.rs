//! How the binaries are linked for release.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|of_build| of_build == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // Cargo forgets the profile's `strip` for a package that has an opt-level of its own.
    println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    // At a fixed address nothing has to be relocated: a quarter of what a cold start takes beyond any function's.
    println!("cargo::rustc-link-arg-bin=sg-trust-lambda=-no-pie");
}
