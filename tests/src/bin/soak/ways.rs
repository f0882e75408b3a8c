//! The kinds of requests: how they are asked, how the mock answers, how their clients leave; and which sums must
//! be equal for them.
//!
//! Mock and gateway count from two sides of one connection, so what may be expected of their sums depends on how
//! an answer ends. Each kind has an upstream model of its own, under which both sides count; so kinds that must
//! agree to the token are not mixed with others. See [`Sums`].

/// How answers are asked for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Plain,
    Stream,
    Either,
}

/// When a client leaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Leaves {
    Never,
    /// With half of its body sent.
    Uploading,
    /// At once after sending.
    AtOnce,
    /// Before the first byte, within so many milliseconds.
    Waiting(u64),
    /// After one of the first so many events.
    Reading(u32),
}

/// What can be said of the sums of a kind.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sums {
    /// Nobody leaves, and what breaks off is a plain answer, which the gateway does not deliver and does not bill.
    /// So each answer that the mock has finished was read by the gateway to its usage, and no other: equal.
    Whole,
    /// Nobody leaves, and streams break off. Those that are whole as above; of the others the gateway estimates
    /// what it has read, which is what the mock has sent before it broke off: near.
    Broken,
    /// Clients leave, and with the last of them goes the upstream. A stream whose end the mock has written and
    /// nobody read is finished for the mock and an estimate for the gateway, never the other way round: usage
    /// comes with the end. So the gateway's told tokens are at most the mock's finished ones, and all that
    /// remains of the mock's is what the gateway's estimates have to come near to.
    Left,
    /// Clients leave at once. Some of their requests reach the mock in the same moment as the news that nobody wants
    /// an answer any more, and it never looks at them; others it has answered before that. How much of either was
    /// worth money nobody can say, so the gateway is on the safe side: each request that it has sent has an
    /// estimate of its prompt. What the mock has counted must be among it, answer by answer.
    Unread,
    /// No upstream is asked.
    None,
}

/// One kind of requests.
pub(crate) struct Way {
    /// The gateway's model, and the upstream's.
    pub(crate) model: &'static str,
    /// Of a thousand requests.
    pub(crate) share: u32,
    pub(crate) form: Form,
    pub(crate) leaves: Leaves,
    /// Bodies are equal within groups, and have a seed.
    pub(crate) equal: Equal,
    /// The mock's ordinary steps for this model.
    pub(crate) steps: &'static [&'static str],
    /// Its faults, each in place of one of `EVERY` steps.
    pub(crate) faults: &'static [&'static str],
    /// Provider of the first target.
    pub(crate) provider: &'static str,
    /// Is there a second target?
    pub(crate) spare: bool,
    pub(crate) sums: Sums,
}

/// Which requests have equal bodies.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Equal {
    No,
    /// So many different ones, again and again: most are answered from the cache.
    Of(u32),
    /// Those that come at about the same time.
    Near(u32),
}

/// One of so many answers is a fault, where there are faults: a tenth of all, since not all kinds have them.
const EVERY: usize = 7;

const PROSE: &[&str] = &["{}"];
const REFUSED: &str = r#"{"status":429,"headers":{"retry-after":"1"}}"#;
const FAILED: &str = r#"{"status":500}"#;
const OVERLOADED: &str = r#"{"status":503}"#;
const DROPPED: &str = r#"{"like":"mock-drop"}"#;
const MALFORMED: &str = r#"{"like":"mock-garbage"}"#;
const HTML: &str = r#"{"like":"mock-html"}"#;
/// Shorter than any timeout.
const HESITATES: &str = r#"{"delay_ms":250}"#;
const CUT: &str = r#"{"like":"mock-cut-12"}"#;
const ENDS_EARLY: &str = r#"{"like":"mock-eof-25"}"#;
const ERROR_EVENT: &str = r#"{"like":"mock-error-20"}"#;
/// Longer than the gateway waits between two reads.
const FALLS_SILENT: &str = r#"{"like":"mock-hang-15"}"#;

const PLAIN_FAULTS: &[&str] =
    &[FAILED, REFUSED, HESITATES, CUT, DROPPED, MALFORMED, OVERLOADED, FALLS_SILENT, HTML, ENDS_EARLY];
const STREAM_FAULTS: &[&str] =
    &[CUT, FAILED, ENDS_EARLY, REFUSED, ERROR_EVENT, DROPPED, CUT, HESITATES, MALFORMED, FALLS_SILENT];
/// Those of which nothing comes that anybody would count.
const REFUSALS: &[&str] = &[FAILED, REFUSED, DROPPED, MALFORMED];
const PACED_FAULTS: &[&str] = &[FAILED, CUT, ERROR_EVENT];

/// All kinds; what is missing from a thousand is `odd`, see `plan`.
pub(crate) const WAYS: &[Way] = &[
    Way { model: "plain", share: 235, faults: PLAIN_FAULTS, spare: true, ..ORDINARY },
    Way { model: "unpriced", share: 40, faults: PLAIN_FAULTS, provider: "free", ..ORDINARY },
    Way {
        model: "stream",
        share: 220,
        form: Form::Stream,
        faults: STREAM_FAULTS,
        spare: true,
        sums: Sums::Broken,
        ..ORDINARY
    },
    // Under way whenever a drain begins.
    Way {
        model: "paced",
        share: 20,
        form: Form::Stream,
        steps: &[r#"{"like":"mock-pace-8-100"}"#],
        ..ORDINARY
    },
    Way {
        model: "cached",
        share: 140,
        form: Form::Either,
        equal: Equal::Of(300),
        faults: REFUSALS,
        spare: true,
        ..ORDINARY
    },
    Way {
        model: "shared",
        share: 80,
        form: Form::Either,
        equal: Equal::Near(100),
        steps: &[r#"{"delay_ms":40}"#],
        faults: REFUSALS,
        ..ORDINARY
    },
    Way { model: "upload", share: 10, leaves: Leaves::Uploading, sums: Sums::None, ..ORDINARY },
    Way {
        model: "gone",
        share: 55,
        form: Form::Either,
        leaves: Leaves::AtOnce,
        sums: Sums::Unread,
        ..ORDINARY
    },
    Way {
        model: "wait",
        share: 60,
        form: Form::Either,
        leaves: Leaves::Waiting(180),
        steps: &[r#"{"delay_ms":200}"#, r#"{"like":"mock-late-200"}"#, r#"{"like":"mock-slow-200"}"#],
        faults: REFUSALS,
        sums: Sums::Left,
        ..ORDINARY
    },
    Way {
        model: "read",
        share: 90,
        form: Form::Stream,
        leaves: Leaves::Reading(110),
        steps: &[r#"{"like":"mock-pace-4-120"}"#, r#"{"like":"mock-pace-5-140"}"#, r#"{"like":"demo"}"#],
        faults: PACED_FAULTS,
        spare: true,
        sums: Sums::Left,
        ..ORDINARY
    },
    Way {
        model: "crowd",
        share: 10,
        form: Form::Stream,
        leaves: Leaves::Reading(90),
        equal: Equal::Near(400),
        steps: &[r#"{"like":"mock-pace-4-120"}"#],
        sums: Sums::Left,
        ..ORDINARY
    },
];

const ORDINARY: Way = Way {
    model: "",
    share: 0,
    form: Form::Plain,
    leaves: Leaves::Never,
    equal: Equal::No,
    steps: PROSE,
    faults: &[],
    provider: "up",
    spare: false,
    sums: Sums::Whole,
};

impl Way {
    /// The upstream's names for the model, and what is expected of each.
    pub(crate) fn upstream_models(&self) -> Vec<(String, Sums)> {
        // The second target has no faults: nothing breaks off there but what clients break off.
        let spare = if self.sums == Sums::Broken { Sums::Whole } else { self.sums };
        let mut models = vec![(self.model.to_owned(), self.sums)];
        models.extend(self.spare.then(|| (spare_model(self.model), spare)));
        models
    }

    /// The mock's scripts, by the upstream's name; each begins again when it is through.
    pub(crate) fn scripts(&self) -> Vec<(String, Vec<&'static str>)> {
        let mut scripts = vec![(self.model.to_owned(), self.script())];
        scripts.extend(self.spare.then(|| (spare_model(self.model), self.steps.to_vec())));
        scripts
    }

    fn script(&self) -> Vec<&'static str> {
        let ordinary = self.steps.iter().cycle();
        if self.faults.is_empty() {
            return ordinary.take(self.steps.len()).copied().collect();
        }
        // Each fault meets each kind of step's neighbours in turn.
        let faults = self.faults.iter().cycle().take(self.faults.len() * self.steps.len());
        let mut script = Vec::new();
        for fault in faults {
            let from = script.len();
            script.extend(ordinary.clone().skip(from).take(EVERY - 1));
            script.push(*fault);
        }
        script
    }
}

/// The second target's name for a model.
pub(crate) fn spare_model(model: &str) -> String {
    format!("{model}-spare")
}
