"""Resources: validated configuration turned into domain objects, on first use.

Belongs here: what the UI shows under Resources, and how the stand-ins of a local deployment are
found. Does not: any behaviour of the parts themselves. Nothing is opened, started or imported
before a step asks for it.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import numpy as np
from dagster import ResourceDependency, get_dagster_logger
from pydantic import Field, PrivateAttr

from etl_dagster.ccc import LITIGATOR_SCRUB, SOURCES, CccConfig, CccError, CccScrubber, Source
from etl_dagster.dnc import DncError, DncStore, DncUsageError, replica
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import Exported, export_snapshot, in_force
from etl_dagster.dnc.snapshot_fetch import fetch_snapshot
from etl_dagster.leads.policy import Policy
from etl_dagster.resilience import RedisStore, redis_bucket, redis_client
from etl_dagster.warehouse.connect import open_warehouse
from etl_dagster.warehouse.session import Warehouse, WarehouseConfig

if TYPE_CHECKING:
    from etl_dagster.ccc.journal import AnswerJournal
    from etl_dagster.sandbox.local import LocalWorld

UNSET: Final = ""
"""What an optional text has as its value where it is not set: resources have no None secrets."""
SNAPSHOTS_KEPT: Final = 3
"""So many exports of the Do-Not-Call store stay; a host may still be fetching the last but one."""


class LocalResource(dg.ConfigurableResource[Any]):
    """The stand-ins of a local deployment: embedded Snowflake, CCC sandbox, sample data.

    In production it is off, and nothing can turn it on but the deployment setting.
    """

    enabled: bool = Field(description="True only where ETL_DEPLOYMENT is local")
    home: str = Field(description="ETL_HOME")
    deployment: str = Field(description="ETL_DEPLOYMENT")

    def world(self) -> "LocalWorld | None":
        """The stand-ins, or None in production."""
        if not self.enabled:
            return None
        from etl_dagster.sandbox.local import LocalWorld  # noqa: PLC0415  production has none

        return LocalWorld(Path(self.home))


class WarehouseResource(dg.ConfigurableResource[Any]):
    """Snowflake. Field names are those of dagster-snowflake's resource."""

    local: ResourceDependency[LocalResource]
    account: str = Field(description="Account identifier")
    user: str = Field(description="User name")
    password: str = Field(UNSET, description="Password, where no key pair is used")
    private_key: str = Field(UNSET, description="Private key, PEM text")
    private_key_path: str = Field(UNSET, description="Private key file, PEM")
    private_key_password: str = Field(UNSET, description="Pass phrase of the private key")
    role: str = Field(UNSET, description="Role")
    warehouse: str = Field(UNSET, description="Virtual warehouse")
    database: str = Field(description="Database of the campaigns' sources and of our tables")
    schema_: str = Field(alias="schema", description="Schema of our tables")
    host: str = Field(UNSET, description="Host, where it does not follow from the account")
    chunks: int = Field(description="Chunks a day is cut into")
    _warehouse: Warehouse | None = PrivateAttr(None)

    def open(self, **tags: str) -> Warehouse:
        """The warehouse, its tables made if they are missing; statements carry `tags`."""
        if self._warehouse is None:
            self._warehouse = self._connect()
        return self._warehouse.with_tag(**tags)

    def for_step(self, context: dg.AssetExecutionContext) -> Warehouse:
        """The warehouse, with the run and the asset in every statement's QUERY_TAG."""
        return self.open(run_id=context.run.run_id, asset=context.asset_key.to_user_string())

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections."""
        del context
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None

    def _connect(self) -> Warehouse:
        config = WarehouseConfig(
            account=self.account,
            user=self.user,
            password=self.password or None,
            private_key=self.private_key or None,
            private_key_path=self.private_key_path or None,
            private_key_password=self.private_key_password or None,
            role=self.role or None,
            warehouse=self.warehouse or None,
            database=self.database,
            schema=self.schema_,
            connection_args={"host": self.host} if self.host else {},
        )
        return open_warehouse(config, chunks=self.chunks, world=self.local.world())


class HttpClientResource(dg.ConfigurableResource[Any]):
    """The HTTP client of the CCC API (httpx): where, with which key, how long it waits."""

    url: str = Field(UNSET, description="Address; the sandbox's in a local deployment if empty")
    api_key: str = Field(UNSET, description="Key, sent in the header loginId")
    connect_seconds: float = Field(5.0, gt=0)
    read_seconds: float = Field(30.0, gt=0)
    write_seconds: float = Field(10.0, gt=0)
    pool_seconds: float = Field(10.0, gt=0)


class RetryResource(dg.ConfigurableResource[Any]):
    """The retry policy of the CCC API (tenacity)."""

    max_retries: int = Field(4, ge=0, description="Retries of a transient failure")
    base_delay: float = Field(1.0, gt=0, description="First delay, seconds; doubles each time")
    max_delay: float = Field(30.0, ge=0, description="Longest delay, seconds")


class BreakerResource(dg.ConfigurableResource[Any]):
    """The circuit breaker of the CCC API (pybreaker), shared by the processes of this host."""

    failures: int = Field(5, ge=1, description="Failures in a row that open it")
    reset_seconds: float = Field(60.0, ge=0, description="Seconds until one probe is let through")
    successes: int = Field(2, ge=1, description="Successes that close it")


class CccResource(dg.ConfigurableResource[Any]):
    """A scrub of CCC, behind its client, retry policy and breaker."""

    source: str = Field("ccc", description="Which: ccc (litigator scrub) or ccc_full")
    local: ResourceDependency[LocalResource]
    http: ResourceDependency[HttpClientResource]
    retry: ResourceDependency[RetryResource]
    breaker: ResourceDependency[BreakerResource]
    batch_size: int = Field(1_000, ge=1, le=10_000, description="Phones a request")
    min_workers: int = Field(2, ge=1)
    max_workers: int = Field(16, ge=1)
    workers_per_batch: float = Field(1.5, gt=0)
    requests_per_minute: int = Field(1_000, ge=1)
    state_dir: str = Field(description="Folder of the breaker's and limiter's shared state")
    redis_url: str = Field(UNSET, description="Redis that keeps that state for several hosts")

    def trouble(self) -> str | None:
        """Why CCC cannot be asked now, or None if it answers its test numbers as it must.

        An open circuit is told without asking; one that has been open for its time is put to the
        test. Takes at most some seconds, whatever CCC does.
        """
        source = SOURCES[self.source](Policy.load())  # no policy changes what its canaries are
        hasty = replace(self._config(source), max_retries=0, read_timeout=5.0, answer_timeout=10.0)
        with self._scrubber(hasty) as scrub:
            try:
                scrub.canary()
            except CccError as error:
                return f"{error} (circuit breaker: {scrub.summary.breaker_state})"
        return None

    def scrubber(self, policy: Policy, **options: Any) -> CccScrubber:
        """A scrubber for one step, whose answers a policy judges; a context manager."""
        return self._scrubber(self._config(SOURCES[self.source](policy)), **options)

    def journal(self, name: str) -> "AnswerJournal | None":
        """Where answers are kept until they are on record; None without Redis."""
        if not self.redis_url:
            return None
        from etl_dagster.ccc.journal import AnswerJournal  # noqa: PLC0415  it needs Redis

        client = redis_client.connect(self.redis_url)
        return AnswerJournal(client, name, secret=self._config().api_key)

    def _scrubber(self, config: CccConfig, **options: Any) -> CccScrubber:
        if self.redis_url:
            client = redis_client.connect(self.redis_url)
            options["breaker_store"] = RedisStore(client, name=config.endpoint)
            options["bucket"] = redis_bucket(
                client, name=config.endpoint, per_minute=config.requests_per_minute
            )
        return CccScrubber(config, **options)

    def _config(self, source: Source = LITIGATOR_SCRUB) -> CccConfig:
        world = self.local.world()
        sandbox = world.ccc(self.http.url) if world else None
        return CccConfig(
            source=source,
            url=sandbox.url if sandbox else self.http.url,
            api_key=self.http.api_key or (sandbox.key if sandbox else UNSET),
            connect_timeout=self.http.connect_seconds,
            read_timeout=self.http.read_seconds,
            write_timeout=self.http.write_seconds,
            pool_timeout=self.http.pool_seconds,
            batch_size=self.batch_size,
            min_workers=self.min_workers,
            max_workers=self.max_workers,
            workers_per_batch=self.workers_per_batch,
            max_retries=self.retry.max_retries,
            retry_base_delay=self.retry.base_delay,
            retry_max_delay=self.retry.max_delay,
            requests_per_minute=self.requests_per_minute,
            breaker_failures=self.breaker.failures,
            breaker_reset_seconds=self.breaker.reset_seconds,
            breaker_successes=self.breaker.successes,
            state_dir=Path(self.state_dir),
        )


class DncStoreResource(dg.ConfigurableResource[Any]):
    """The Do-Not-Call store."""

    local: ResourceDependency[LocalResource]
    path: str = Field(description="The store's file")
    inbox: str = Field(description="Folder where list files arrive")
    opt_out_inbox: str = Field(description="Folder where opt-out files arrive")
    sample: bool = Field(
        default=False, description="Make the store, of sample lists, if there is none"
    )

    snapshot_url: str = Field(UNSET, description="Where a replica is fetched from, if it is one")
    export_url: str = Field(UNSET, description="Where the store is exported to for other hosts")

    @property
    def inbox_dir(self) -> Path:
        """The folder where list files arrive."""
        return Path(self.inbox)

    @property
    def opt_out_inbox_dir(self) -> Path:
        """The folder where opt-out files arrive."""
        return Path(self.opt_out_inbox)

    def open(self, policy: Policy) -> DncStore:
        """The store, self-tested, for look-ups under a policy.

        Raises:
            DncError: there is no store, it is damaged, or production was given sample lists;
                never answered as "nobody is listed".
        """
        self.refresh()
        world = self.local.world()
        if world and self.sample:
            world.load_lists(Path(self.path))
        store = self._fetched(DncStore.open_under(Path(self.path), policy))
        if world is None:
            from etl_dagster.sandbox.local import refuse_sample  # noqa: PLC0415  its modules later

            refuse_sample(store)
        return store

    def refresh(self) -> None:
        """Fetch the newest snapshot where the store is a replica.

        Without one it goes on with what it has, which clears nobody once it is too old.
        """
        if not self.snapshot_url:
            return
        try:
            fetch_snapshot(Path(self.path), Place(self.snapshot_url))
        except DncError as error:
            if not Path(self.path).exists():
                raise
            get_dagster_logger().warning(f"the Do-Not-Call store was not refreshed: {error}")

    def newest_versions(self) -> str:
        """The versions of the lists, as the next step that opens the store finds them.

        Raises:
            DncError: there is no store, or it is damaged.
        """
        if self.snapshot_url:
            try:
                if found := in_force(Place(self.snapshot_url)):
                    return found.list_versions
            except DncError as error:
                get_dagster_logger().warning(f"no newer Do-Not-Call store is known of: {error}")
        with DncStore.open(self.path) as store:
            return store.lookup(np.empty(0, np.int64)).list_versions

    def open_for_opt_outs(self) -> DncStore:
        """The store for recording a table's opt-outs, which a replica keeps beside its lists.

        Raises:
            DncError: there is no store, or it is damaged.
        """
        if not self.snapshot_url:
            return self.open_for_writing()
        self.refresh()
        return self._fetched(DncStore.open(self.path))

    def _fetched(self, store: DncStore) -> DncStore:
        """The store, if it may be used here: what was not fetched would never run out."""
        if self.snapshot_url and not store.is_replica:
            store.close()
            raise DncUsageError(
                f"DNC_SNAPSHOT_URL is set, but {self.path} is no snapshot that was fetched from"
                " there: move it away, and the next step fetches one; or, if this host keeps the"
                " lists, unset DNC_SNAPSHOT_URL"
            )
        return store

    def export(self) -> Exported:
        """Export the store for other hosts.

        Raises:
            DncError: it cannot be done; what was exported before is still in force.
        """
        return export_snapshot(Path(self.path), Place(self.export_url), keep=SNAPSHOTS_KEPT)

    def open_for_writing(self) -> DncStore:
        """The store for loading lists; only one of sample lists is made where there is none.

        Raises:
            DncError: there is no store, it is damaged, or it is a replica. A missing one is not
                made in silence: its opt-outs would be lost with it.
        """
        path = Path(self.path)
        if self.snapshot_url:
            self.refresh()  # whose note says who keeps the lists
            raise DncUsageError(replica.refusal(path))
        if self.sample and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            return DncStore.create(path)
        return DncStore.open(path, read_only=False)


class PolicyResource(dg.ConfigurableResource[Any]):
    """The scrub policy."""

    path: str = Field(UNSET, description="Policy file; the built-in policy if empty")
    ccc_ttl_days: float = Field(0, description="Shorter validity of CCC answers; 0: the policy's")
    dnc_max_age_days: int = Field(0, description="Shorter age of lists; 0: the policy's")

    def trouble(self, *services: CccResource) -> str | None:
        """Why a service that the policy asks cannot be asked now, or None."""
        asked = (one for one in services if one.source in self.load().apis)
        return next(filter(None, (one.trouble() for one in asked)), None)

    def load(self) -> Policy:
        """The policy in force."""
        policy = Policy.load(Path(self.path) if self.path else None)
        return policy.with_limits(
            ccc_ttl_days=self.ccc_ttl_days or None,
            dnc_max_age_days=self.dnc_max_age_days or None,
        )


class ReportsResource(dg.ConfigurableResource[Any]):
    """Where reports are written."""

    folder: str = Field(description="Folder of the reports")

    def write(self, name: str, text: str) -> str:
        """Write a report whole or not at all; return its path."""
        path = Path(self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return str(path)
