//! Listings page by page.

use std::future::Future;

use crate::shard::inspect::{Cursor, Page};
use crate::threads::InspectError;

/// Hands over every row of a listing. `list` gets a place and returns the page from there.
pub(crate) async fn walk<T, F>(
    list: impl Fn(Cursor) -> F,
    mut each: impl FnMut(T),
) -> Result<(), InspectError>
where
    F: Future<Output = Result<Page<T>, InspectError>>,
{
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let page = list(cursor).await?;
        page.rows.into_iter().for_each(&mut each);
        from = page.next;
    }
    Ok(())
}
