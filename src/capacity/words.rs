//! What is logged of limits of the whole reflector: one line when one is near, one when it has been reached, and one
//! when there is room again; never one for each route.

use tracing::{info, warn};

use super::shares::Limits;
use crate::ids::Level;
use crate::shard::growth::Amounts;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Words {
    routes: Said,
    vnis: Said,
    memory: Said,
}

#[derive(Debug, Default)]
struct Said {
    level: Level,
    /// The number refused at the last check.
    refused: i64,
}

impl Words {
    /// Logs changes. `refused` counts from the start; its `announcements` were refused for want of memory.
    pub(super) fn say(&mut self, limits: &Limits, held: Amounts, refused: Amounts) {
        let of = |held: i64, most: Option<u64>| {
            most.map(|most| (u64::try_from(held).unwrap_or(0), most))
        };
        self.routes.say("max-routes", of(held.routes, limits.routes), refused.routes);
        self.vnis.say("max-vnis", of(held.vnis, limits.vnis), refused.vnis);
        let memory = limits.memory.map(|(budget, used)| (used, budget));
        self.memory.say("memory-budget", memory, refused.announcements);
    }
}

impl Said {
    fn say(&mut self, limit: &str, of: Option<(u64, u64)>, refused: i64) {
        let hit = std::mem::replace(&mut self.refused, refused) < refused;
        let Some((used, most)) = of else {
            self.level = Level::default();
            return;
        };
        let before = self.level;
        match self.level.look(used, most, hit) {
            Some(Level::Near) => warn!(
                limit,
                used,
                most,
                "80 % of a limit of the reflector are in use; at the limit the reflector refuses \
                 new routes or VNIs"
            ),
            Some(Level::Reached) => warn!(
                limit,
                used,
                most,
                "a limit of the reflector has been reached: the reflector refuses new routes or \
                 VNIs, counts them in metalbond_growth_refused_total, and keeps all that it has. \
                 Raise the limit, or find the peer that announces so many routes (metalbond ctl \
                 show peers --sort=-routes)"
            ),
            _ if before > self.level => {
                info!(limit, used, most, "there is room again below a limit");
            }
            _ => {}
        }
    }
}
