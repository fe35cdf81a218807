"""The tables of a store, as ordered and named migrations: a new one is added at the end, none is ever changed."""

from typing import TYPE_CHECKING, Final

from .listing import m0011_sample_totals
from .totals import m0013_totals

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0001_runs(database: "Database") -> None:
    """What is evolved: runs, their starts, and their samples."""
    # Foreign keys are for people and tools that follow them; SQLite does not enforce them here.
    database.executescript("""
        CREATE TABLE runs (
            id TEXT PRIMARY KEY NOT NULL,
            created_ns INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            seed INTEGER NOT NULL,
            parent TEXT REFERENCES runs(id)
        ) STRICT;
        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs(id),
            started_ns INTEGER NOT NULL,
            ended_ns INTEGER,
            pid INTEGER,
            host TEXT,
            outcome TEXT
        ) STRICT;
        CREATE TABLE samples (
            run TEXT NOT NULL REFERENCES runs(id),
            id TEXT NOT NULL,
            position INTEGER NOT NULL,
            digest TEXT NOT NULL,
            images TEXT NOT NULL,
            sample TEXT NOT NULL,
            PRIMARY KEY (run, id)
        ) STRICT;
        CREATE INDEX samples_by_position ON samples (run, position);
    """)


def m0002_outcomes(database: "Database") -> None:
    """How samples end, and which are taken up again."""
    # `take` counts how often a failed sample was taken up again: what an earlier take wrote stays.
    database.executescript("""
        CREATE TABLE retries (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            take INTEGER NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            since_ns INTEGER NOT NULL,
            PRIMARY KEY (run, sample, take)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE settled (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            take INTEGER NOT NULL DEFAULT 0,
            status TEXT NOT NULL CHECK (status IN ('reached', 'exhausted', 'stalled', 'failed')),
            rounds INTEGER NOT NULL,
            reason TEXT NOT NULL DEFAULT '',
            complexity_before REAL,
            complexity_after REAL,
            heads TEXT NOT NULL,
            settled_ns INTEGER NOT NULL,
            PRIMARY KEY (run, sample, take)
        ) STRICT;
    """)


def m0003_routing(database: "Database") -> None:
    """Where samples were sent, and what it brought."""
    # `seq` counts rewards in the order of their commits.
    database.executescript("""
        CREATE TABLE decisions (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            round INTEGER NOT NULL,
            direction TEXT NOT NULL,
            propensity REAL NOT NULL,
            probabilities TEXT NOT NULL,
            eligible TEXT NOT NULL,
            features TEXT NOT NULL,
            feature_set TEXT NOT NULL,
            uniform REAL NOT NULL,
            policy TEXT NOT NULL,
            policy_version TEXT NOT NULL,
            decided_ns INTEGER NOT NULL,
            PRIMARY KEY (run, sample, round)
        ) STRICT;
        CREATE TABLE rewards (
            seq INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            round INTEGER NOT NULL,
            take INTEGER NOT NULL DEFAULT 0,
            reward REAL,
            tokens INTEGER,
            rewarded_ns INTEGER NOT NULL,
            UNIQUE (run, sample, round, take)
        ) STRICT;
    """)


def m0004_lineage(database: "Database") -> None:
    """What was decided on each question, and its versions."""
    database.executescript("""
        CREATE TABLE verdicts (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            round INTEGER NOT NULL,
            qa TEXT NOT NULL,
            take INTEGER NOT NULL DEFAULT 0,
            direction TEXT NOT NULL,
            stage TEXT NOT NULL CHECK (stage IN ('screen', 'judge', 'agent')),
            accepted INTEGER NOT NULL,
            code TEXT NOT NULL DEFAULT '',
            reason TEXT NOT NULL DEFAULT '',
            grounded INTEGER,
            correct INTEGER,
            answerable INTEGER,
            needs_image INTEGER,
            improved INTEGER,
            score_before INTEGER,
            score_after INTEGER,
            PRIMARY KEY (run, sample, round, qa, take)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE generations (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            round INTEGER NOT NULL,
            qa TEXT NOT NULL,
            take INTEGER NOT NULL DEFAULT 0,
            outcome TEXT NOT NULL CHECK (outcome IN ('seed', 'accepted', 'rejected')),
            direction TEXT,
            parent_round INTEGER,
            complexity REAL,
            content TEXT NOT NULL,
            PRIMARY KEY (run, sample, round, qa, take)
        ) STRICT;
    """)


def m0005_calls(database: "Database") -> None:
    """The ledger of the calls, the texts that they sent, and the spans around them."""
    # The key begins with the sample so that a sample's calls lie together; `key` alone is already unique in a run.
    database.executescript("""
        CREATE TABLE spans (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            id TEXT NOT NULL,
            take INTEGER NOT NULL DEFAULT 0,
            round INTEGER NOT NULL,
            parent TEXT,
            name TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('route', 'agent', 'screen', 'judge', 'call')),
            started_ns INTEGER NOT NULL,
            ended_ns INTEGER NOT NULL,
            status TEXT NOT NULL DEFAULT 'ok',
            attributes TEXT NOT NULL DEFAULT '{}',
            PRIMARY KEY (run, sample, id, take)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE calls (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            key TEXT NOT NULL,
            round INTEGER NOT NULL,
            agent TEXT NOT NULL,
            step INTEGER NOT NULL,
            take INTEGER NOT NULL,
            model TEXT NOT NULL,
            kind TEXT NOT NULL,
            text TEXT,
            finish_reason TEXT,
            prompt_tokens INTEGER,
            cached_tokens INTEGER,
            completion_tokens INTEGER,
            response_id TEXT,
            endpoint TEXT,
            attempts INTEGER NOT NULL,
            maybe_billed INTEGER NOT NULL DEFAULT 0,
            http_status INTEGER,
            error TEXT,
            started_ns INTEGER NOT NULL,
            ended_ns INTEGER NOT NULL,
            messages TEXT NOT NULL,
            PRIMARY KEY (run, sample, key)
        ) STRICT;
        CREATE TABLE parts (hash TEXT PRIMARY KEY NOT NULL, text TEXT NOT NULL) STRICT;
    """)


def m0006_checkpoints(database: "Database") -> None:
    """LangGraph's checkpoints."""
    database.executescript("""
        CREATE TABLE checkpoints (
            thread TEXT NOT NULL,
            namespace TEXT NOT NULL,
            id TEXT NOT NULL,
            parent TEXT,
            checkpoint TEXT NOT NULL,
            metadata TEXT NOT NULL,
            PRIMARY KEY (thread, namespace, id)
        ) STRICT;
        CREATE TABLE writes (
            thread TEXT NOT NULL,
            namespace TEXT NOT NULL,
            checkpoint TEXT NOT NULL,
            task TEXT NOT NULL,
            idx INTEGER NOT NULL,
            path TEXT NOT NULL,
            channel TEXT NOT NULL,
            kind TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (thread, namespace, checkpoint, task, idx)
        ) STRICT, WITHOUT ROWID;
    """)


def m0007_views_of_samples(database: "Database") -> None:
    """Samples, questions and decisions for people who look into a store with SQL."""
    database.executescript("""
        CREATE VIEW v_settled AS
            SELECT * FROM settled s WHERE s.take = coalesce(
                (SELECT max(r.take) FROM retries r WHERE r.run = s.run AND r.sample = s.sample), 0);
        CREATE VIEW v_samples AS
            SELECT s.run, s.position, s.id AS sample, coalesce(e.status, 'pending') AS status, e.rounds, e.reason,
                   round(e.complexity_before, 2) AS complexity_before,
                   round(e.complexity_after, 2) AS complexity_after,
                   round(e.complexity_after - e.complexity_before, 2) AS gain,
                   (SELECT group_concat(direction, ' > ') FROM
                       (SELECT direction FROM decisions d WHERE d.run = s.run AND d.sample = s.id ORDER BY d.round)
                   ) AS directions,
                   json_extract(s.sample, '$.caption') AS caption
            FROM samples s LEFT JOIN v_settled e ON e.run = s.run AND e.sample = s.id;
        CREATE VIEW v_pairs AS
            SELECT g.run, g.sample, g.round, g.qa, g.direction, g.outcome,
                   json_extract(p.content, '$.question') AS question_before,
                   json_extract(g.content, '$.question') AS question_after,
                   json_extract(p.content, '$.answer') AS answer_before,
                   json_extract(g.content, '$.answer') AS answer_after,
                   v.score_before, v.score_after, v.stage, v.code, v.reason
            FROM generations g
            LEFT JOIN generations p ON p.run = g.run AND p.sample = g.sample AND p.round = g.parent_round
                 AND p.qa = g.qa AND p.outcome <> 'rejected'
            LEFT JOIN verdicts v ON v.run = g.run AND v.sample = g.sample AND v.round = g.round AND v.qa = g.qa
                 AND v.take = g.take
            WHERE g.outcome <> 'seed';
        CREATE VIEW v_decisions AS
            SELECT d.run, d.sample, d.round, d.direction, round(d.propensity, 4) AS propensity, d.policy, r.reward,
                   r.tokens, d.probabilities, d.features
            FROM decisions d LEFT JOIN rewards r ON r.run = d.run AND r.sample = d.sample AND r.round = d.round;
    """)


def m0008_views_of_calls(database: "Database") -> None:
    """Calls, prompts and spans for people who look into a store with SQL."""
    database.executescript("""
        CREATE VIEW v_calls AS
            SELECT run, sample, round, agent, step, take, model, kind, (ended_ns - started_ns) / 1000000 AS ms,
                   prompt_tokens, cached_tokens, completion_tokens, attempts, http_status, error, text, endpoint
            FROM calls;
        CREATE VIEW v_prompts AS
            SELECT c.run, c.sample, c.round, c.agent, c.step, c.take, m.key AS turn,
                   json_extract(m.value, '$[0]') AS role,
                   (SELECT group_concat(piece, '') FROM (
                       SELECT CASE WHEN t.key = 0 THEN char(10) ELSE '' END || CASE WHEN t.value LIKE '#%'
                              THEN (SELECT text FROM parts WHERE hash = substr(t.value, 2)) ELSE t.value END AS piece
                       FROM json_each(m.value, '$[1]') p, json_each(p.value) t
                       WHERE p.type = 'array' ORDER BY p.key, t.key)) AS text
            FROM calls c, json_each(c.messages) m;
        CREATE VIEW v_spans AS
            SELECT run, sample, round, take, id, parent, name, kind, started_ns, ended_ns, status, attributes FROM spans
            UNION ALL
            SELECT run, sample, round, take, round || '/' || agent || '/' || step, round || '/' || agent,
                   'chat ' || model, 'call', started_ns, ended_ns, kind,
                   json_object('gen_ai.operation.name', 'chat', 'gen_ai.request.model', model,
                       'gen_ai.response.id', response_id, 'gen_ai.usage.input_tokens', prompt_tokens,
                       'gen_ai.usage.output_tokens', completion_tokens,
                       'gen_ai.response.finish_reasons', json_array(finish_reason), 'evolgraph.call.key', key)
            FROM calls;
    """)


def m0009_quarantine(database: "Database") -> None:
    """Seed rows that could not be used."""
    database.executescript("""
        CREATE TABLE quarantine (
            run TEXT NOT NULL REFERENCES runs(id),
            place TEXT NOT NULL,
            reason TEXT NOT NULL,
            PRIMARY KEY (run, place)
        ) STRICT;
    """)


def m0010_calls_cut_off(database: "Database") -> None:
    """Calls that are under way, how often attempts may have been billed in vain, and what images and thoughts took."""
    # A row of `sending` stands from the moment a request goes out until its end is on record.
    database.executescript("""
        CREATE TABLE sending (
            run TEXT NOT NULL REFERENCES runs(id),
            sample TEXT NOT NULL,
            key TEXT NOT NULL,
            round INTEGER NOT NULL,
            agent TEXT NOT NULL,
            step INTEGER NOT NULL,
            take INTEGER NOT NULL,
            model TEXT NOT NULL,
            since_ns INTEGER NOT NULL,
            PRIMARY KEY (run, sample, key)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE calls ADD COLUMN image_tokens INTEGER;
        ALTER TABLE calls ADD COLUMN reasoning_tokens INTEGER;
        DROP VIEW v_calls;
        CREATE VIEW v_calls AS
            SELECT run, sample, round, agent, step, take, model, kind, (ended_ns - started_ns) / 1000000 AS ms,
                   prompt_tokens, cached_tokens, image_tokens, completion_tokens, reasoning_tokens, attempts,
                   maybe_billed, http_status, error, text, endpoint
            FROM calls;
    """)


def m0012_packed_states(database: "Database") -> None:
    """Checkpoints deflated, and the final questions of a sample by their rounds: their texts are its generations."""
    database.executescript("""
        ALTER TABLE checkpoints RENAME TO unpacked_checkpoints;
        CREATE TABLE checkpoints (
            thread TEXT NOT NULL,
            namespace TEXT NOT NULL,
            id TEXT NOT NULL,
            parent TEXT,
            checkpoint BLOB NOT NULL,
            metadata TEXT NOT NULL,
            PRIMARY KEY (thread, namespace, id)
        ) STRICT;
        INSERT INTO checkpoints
            SELECT thread, namespace, id, parent, packed(checkpoint), metadata FROM unpacked_checkpoints ORDER BY rowid;
        DROP TABLE unpacked_checkpoints;
        UPDATE settled SET heads = (
            SELECT json_group_array(json_object(
                'qa', json_extract(value, '$.qa.id'), 'complexity', json_extract(value, '$.complexity'),
                'round', json_extract(value, '$.round')
            )) FROM json_each(heads)
        );
    """)


STEPS: Final = (
    m0001_runs,
    m0002_outcomes,
    m0003_routing,
    m0004_lineage,
    m0005_calls,
    m0006_checkpoints,
    m0007_views_of_samples,
    m0008_views_of_calls,
    m0009_quarantine,
    m0010_calls_cut_off,
    m0011_sample_totals,
    m0012_packed_states,
    m0013_totals,
)
