//! Bounds the number of open streams: answers that do not end by themselves.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ApiError;

/// The most streams of one kind.
const STREAMS_MAX: usize = 64;

/// The permits of streams of one kind.
#[derive(Clone, Debug)]
pub(super) struct Streams(Arc<Semaphore>);

/// The permit of a stream, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamPermit {
    _permit: OwnedSemaphorePermit,
}

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

impl Streams {
    /// A permit for one more stream.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`] when all are taken.
    pub(super) fn enter(&self) -> Result<StreamPermit, ApiError> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        match permit {
            Ok(permit) => Ok(StreamPermit { _permit: permit }),
            Err(_) => Err(ApiError::TooManyStreams(STREAMS_MAX)),
        }
    }
}
