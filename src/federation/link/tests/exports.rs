//! What goes to other sites.

use std::time::Duration;

use ahash::RandomState;

use super::scene::{Fake, Scene, VNI};
use crate::federation::link::envelope::Content;
use crate::federation::link::form::SnapshotRequest;
use crate::federation::link::form::control::Kind;
use crate::federation::link::{Address, Link};
use crate::ids::ShardId;
use crate::wire::Vni;

const SECOND: Duration = Duration::from_secs(1);


