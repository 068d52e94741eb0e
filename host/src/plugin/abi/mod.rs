//! The released versions of the WIT package, one file each, newest last.
//!
//! The host finds the version in the name of the `guest` interface that a component exports.
//! A new version is a new file and one row in [`VERSIONS`].

pub mod v0_1;

/// A version of the package that this host can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbiVersion {
    /// The name of the interface that every component of this version exports.
    pub guest: &'static str,
    /// The version, as people write it.
    pub text: &'static str,
}

/// All versions, oldest first.
pub const VERSIONS: &[AbiVersion] =
    &[AbiVersion { guest: "weir:operator/guest@0.1.0", text: "0.1.0" }];
