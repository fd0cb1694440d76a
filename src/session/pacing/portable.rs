//! A pacer in the portable form; see `proto/portable.proto`.

use std::time::Duration;

use super::echo::Echo;
use super::evidence::{Evidence, Segment, WindowSample};
use super::timed::Timed;
use super::{Limits, NoEvidence, Pacer};
use crate::ids::Moment;
use crate::portable::form::{self, pacer::NoEvidence as Reason};
use crate::portable::{Defect, length, micros, moment, number, required};

impl Pacer {
    pub(crate) fn export(&self) -> form::Pacer {
        let Self { limits, evidence, echo, timed, .. } = self;
        let reason = match self.unproven {
            None => Reason::None,
            Some(NoEvidence::Untold) => Reason::Untold,
            Some(NoEvidence::NoScale) => Reason::NoScale,
            Some(NoEvidence::Largest) => Reason::Largest,
            Some(NoEvidence::Zero) => Reason::Zero,
            Some(NoEvidence::Coarse) => Reason::Coarse,
        };
        form::Pacer {
            pace: limits.pace,
            trial_micros: micros(limits.trial),
            evidence: Some(evidence.export()),
            echo: Some(form::Echo {
                sent: echo.sent.map(|sent| sent.0),
                quick: echo.quick,
                retry: echo.retry.0,
                wait_micros: micros(echo.wait),
            }),
            level: timed.level,
            level_at: timed.at.0,
            unproven: reason.into(),
            is_by_the_clock: self.is_by_the_clock,
            mss: number(self.mss),
            whole: self.whole.map(number),
            last: self.last.map(number),
            looked: self.looked,
            unacked: self.unacked,
            coaxes: self.coaxes,
            taken: self.taken.0,
            sent_then: self.sent_then,
            probes: self.probes,
            probed: self.probed.0,
            is_full: self.is_full,
            zeros: self.zeros.0,
            zeros_confirmed: self.zeros.1,
            peak_before: self.peaks.0,
            peak: self.peaks.1,
            peak_began: self.peaks.2.0,
            next: self.next.0,
        }
    }

    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn import(pacer: form::Pacer) -> Result<Self, Defect> {
        let unproven = match Reason::try_from(pacer.unproven) {
            Ok(Reason::None) => None,
            Ok(Reason::Untold) => Some(NoEvidence::Untold),
            Ok(Reason::NoScale) => Some(NoEvidence::NoScale),
            Ok(Reason::Largest) => Some(NoEvidence::Largest),
            Ok(Reason::Zero) => Some(NoEvidence::Zero),
            Ok(Reason::Coarse) => Some(NoEvidence::Coarse),
            Err(_) => return Err(Defect::Value("Pacer.unproven")),
        };
        let evidence = Evidence::import(required(pacer.evidence, "Pacer.evidence")?)?;
        let form::Echo { sent, quick, retry, wait_micros } = required(pacer.echo, "Pacer.echo")?;
        if pacer.sent_then > evidence.sent {
            return Err(Defect::Value("Pacer.sent_then"));
        }
        let lengths = |value: Option<u64>, field| value.map(|it| length(it, field)).transpose();
        let mut timed = Timed::new(pacer.pace, Moment(pacer.level_at));
        timed.level = pacer.level;
        Ok(Self {
            limits: Limits { pace: pacer.pace, trial: Duration::from_micros(pacer.trial_micros) },
            evidence,
            echo: Echo {
                sent: moment(sent),
                quick,
                retry: Moment(retry),
                wait: Duration::from_micros(wait_micros),
            },
            timed,
            unproven,
            is_by_the_clock: pacer.is_by_the_clock,
            mss: length(pacer.mss, "Pacer.mss")?,
            whole: lengths(pacer.whole, "Pacer.whole")?,
            last: lengths(pacer.last, "Pacer.last")?,
            looked: pacer.looked,
            unacked: pacer.unacked,
            coaxes: pacer.coaxes,
            taken: Moment(pacer.taken),
            sent_then: pacer.sent_then,
            probes: pacer.probes,
            probed: Moment(pacer.probed),
            is_full: pacer.is_full,
            zeros: (pacer.zeros, pacer.zeros_confirmed),
            peaks: (pacer.peak_before, pacer.peak, Moment(pacer.peak_began)),
            next: Moment(pacer.next),
        })
    }
}

impl Evidence {
    fn export(&self) -> form::Evidence {
        let look = |look: &WindowSample| {
            let WindowSample { edge, acked, short } = *look;
            form::Look { edge, acked, short }
        };
        form::Evidence {
            unread: self.unread,
            sent: self.sent,
            short: self.short,
            flight_ends: self.flight.iter().map(|segment| segment.end).collect(),
            flight_lengths: self.flight.iter().map(|segment| segment.length).collect(),
            offset: self.offset,
            last: Some(look(&self.last)),
            surplus: self.surplus,
            begin: Some(look(&self.begin)),
            full: self.full,
            crept: self.crept,
            is_sure: self.is_sure,
            recent: self.recent,
            shrunk: self.shrunk,
            tested: self.tested,
            is_settled: self.is_settled,
            is_fresh: self.is_fresh,
            is_crowded: self.is_crowded,
            short_read: self.short_read,
            unit: self.unit,
        }
    }

    fn import(evidence: form::Evidence) -> Result<Self, Defect> {
        let look = |look: Option<form::Look>| {
            let form::Look { edge, acked, short } = required(look, "Evidence: its looks")?;
            let is_right = acked <= evidence.sent && short <= evidence.short;
            is_right.then_some(WindowSample { edge, acked, short }).ok_or(Defect::Value("Look"))
        };
        let (last, begin) = (look(evidence.last)?, look(evidence.begin)?);
        let flight = evidence.flight_ends.iter().zip(&evidence.flight_lengths);
        // Differences of these values are computed while the connection lives; they must not be negative.
        let is_right = evidence.flight_ends.len() == evidence.flight_lengths.len()
            && evidence.flight_ends.is_sorted()
            && evidence.flight_ends.last().is_none_or(|end| *end <= evidence.sent)
            && evidence.short <= evidence.sent
            && evidence.short_read <= evidence.short
            && evidence.sent <= u64::MAX / 4
            && evidence.full <= u64::MAX / 4;
        if !is_right {
            return Err(Defect::Value("Evidence"));
        }
        Ok(Self {
            unread: evidence.unread.min(evidence.sent),
            sent: evidence.sent,
            short: evidence.short,
            flight: flight.map(|(&end, &length)| Segment { end, length }).collect(),
            offset: evidence.offset,
            last,
            surplus: evidence.surplus.min(evidence.sent),
            begin,
            full: evidence.full,
            crept: evidence.crept,
            is_sure: evidence.is_sure,
            recent: evidence.recent,
            shrunk: evidence.shrunk,
            tested: evidence.tested,
            is_settled: evidence.is_settled,
            is_fresh: evidence.is_fresh,
            is_crowded: evidence.is_crowded,
            short_read: evidence.short_read,
            unit: evidence.unit,
        })
    }
}
