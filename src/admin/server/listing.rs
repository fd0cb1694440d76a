//! Listings as JSON, sent as they are read: `rows`, and behind them the place where the next page begins.
//!
//! The listing asks for the next rows when the reader has room, so a reader that stalls holds only a few rows, however
//! many it has requested.

use std::pin::Pin;

use axum::BoxError;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Serialize;

/// How many bytes are gathered before they are sent.
const ENOUGH: usize = 16 * 1024;
/// How many rows to request at once: about as many as are sent at once.
pub(crate) const PART: usize = 64;

/// A listing of few rows: one page.
#[derive(Debug, Serialize)]
pub(crate) struct OnePage<T> {
    rows: Vec<T>,
    next: Option<String>,
}

impl<T> FromIterator<T> for OnePage<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self { rows: rows.into_iter().collect(), next: None }
    }
}

/// A part of a listing.
#[derive(Debug)]
pub(crate) enum Piece<T, N> {
    /// Some rows, or none.
    Rows(Vec<T>),
    /// The end: the object's other members. Comes last.
    End(N),
}

/// An answer made of these pieces. Waits for the first piece, so that its error becomes the answer.
///
/// # Errors
/// The first error, if it comes before anything is sent.
pub(crate) async fn respond<T, N, E>(
    pieces: impl Stream<Item = Result<Piece<T, N>, E>> + Send + 'static,
) -> Result<Response, E>
where
    T: Serialize + Send + 'static,
    N: Serialize + Send + 'static,
    E: Into<BoxError> + Send + 'static,
{
    let mut text = Text { pieces: Box::pin(pieces), rows: 0, is_begun: false, is_over: false };
    let first = text.next().await.unwrap_or_else(|| Ok(String::new()))?;
    // Most listings are short; then the length is known.
    let body = if text.is_over {
        first.into()
    } else {
        let rest = stream::unfold(text, |mut text| async move { Some((text.next().await?, text)) });
        Body::from_stream(stream::iter([Ok(first)]).chain(rest))
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The pieces of rows that need no question. Rows are made when there is room for them.
pub(crate) fn of<T, N, E>(
    rows: impl IntoIterator<Item = T>,
    end: N,
) -> impl Stream<Item = Result<Piece<T, N>, E>> {
    let mut rows = rows.into_iter().peekable();
    let mut end = Some(end);
    stream::iter(std::iter::from_fn(move || {
        let piece = match rows.peek() {
            Some(_) => Piece::Rows(rows.by_ref().take(PART).collect()),
            None => Piece::End(end.take()?),
        };
        Some(Ok(piece))
    }))
}

/// The pieces of a listing, as they come.
type Pieces<T, N, E> = Pin<Box<dyn Stream<Item = Result<Piece<T, N>, E>> + Send>>;

/// The text under construction.
struct Text<T, N, E> {
    pieces: Pieces<T, N, E>,
    rows: u64,
    is_begun: bool,
    is_over: bool,
}

impl<T: Serialize, N: Serialize, E> Text<T, N, E> {
    /// The next part of the text; `None` at the end.
    async fn next(&mut self) -> Option<Result<String, E>> {
        if self.is_over {
            return None;
        }
        let mut out = String::new();
        if !self.is_begun {
            self.is_begun = true;
            out.push_str("{\"rows\":[");
        }
        while out.len() < ENOUGH && !self.is_over {
            match self.pieces.next().await {
                Some(Ok(Piece::Rows(rows))) => {
                    for row in rows {
                        out.push_str(if self.rows > 0 { "," } else { "" });
                        out.push_str(&json(&row));
                        self.rows += 1;
                    }
                }
                Some(Ok(Piece::End(end))) => {
                    self.is_over = true;
                    let end = json(&end);
                    out.push_str(if end == "{}" { "]" } else { "]," });
                    out.push_str(end.strip_prefix('{').unwrap_or("}"));
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                None => {
                    self.is_over = true;
                    out.push_str("]}");
                }
            }
        }
        Some(Ok(out))
    }
}

fn json(value: &impl Serialize) -> String {
    // Numbers and texts only: it cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Serialize)]
    struct Next {
        next: Option<u32>,
    }

    async fn answer(body: Body) -> Value {
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn pieces_together_are_one_object() {
        for count in [0, 1, PART, 100_000] {
            let rows: Vec<_> = (0..count).collect();
            let end = Next { next: Some(7) };
            let pieces = of::<_, _, Infallible>(rows.clone(), end);
            let listing = answer(respond(pieces).await.unwrap().into_body()).await;
            assert_eq!(listing, json!({"rows": rows, "next": 7}));
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_for_before_there_is_room() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let pieces = stream::repeat_with(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Piece::<_, Next>::Rows(vec!["x".repeat(1024)]))
        });
        let mut body = respond(pieces).await.unwrap().into_body().into_data_stream();
        for parts in 1..=3 {
            body.next().await.unwrap().unwrap();
            assert_eq!(asked.load(Ordering::Relaxed), 16 * parts);
        }
    }

    #[tokio::test]
    async fn no_row_is_made_before_there_is_room() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let rows = (0..100_000).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            "x".repeat(1024)
        });
        let pieces = of::<_, _, Infallible>(rows, Next { next: None });
        let mut body = respond(pieces).await.unwrap().into_body().into_data_stream();
        for parts in 1..=3 {
            body.next().await.unwrap().unwrap();
            assert_eq!(made.load(Ordering::Relaxed), PART * parts);
        }
    }

    #[tokio::test]
    async fn an_error_before_anything_is_sent_is_the_answer() {
        let pieces = stream::iter([Err::<Piece<(), Next>, _>(std::fmt::Error)]);
        assert_eq!(respond(pieces).await.unwrap_err(), std::fmt::Error);
    }
}
