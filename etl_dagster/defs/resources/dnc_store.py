"""The Do-Not-Call store as a resource: of this host's lists, of sample lists, or a replica.

Belongs here: which store a deployment has, and what it may be opened for. Does not: what is in a
store, or how a snapshot travels (`etl_dagster.dnc`).
"""

from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster import ResourceDependency, get_dagster_logger
from pydantic import Field

from etl_dagster.defs.resources.local import UNSET, LocalResource
from etl_dagster.dnc import DncError, DncStore, DncUsageError, replica
from etl_dagster.dnc.places import Place
from etl_dagster.dnc.snapshot_export import Exported, export_snapshot, in_force
from etl_dagster.dnc.snapshot_fetch import fetch_snapshot
from etl_dagster.dnc.snapshots import State
from etl_dagster.leads.policy import Policy

SNAPSHOTS_KEPT: Final = 3
"""So many exports of the Do-Not-Call store stay; a host may still be fetching the last but one."""


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
            store.refuse_sample()
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

    def newest(self) -> State:
        """What the lists are, as the next step that opens the store finds them.

        Raises:
            DncError: there is no store, or it is damaged.
        """
        if self.snapshot_url:
            try:
                if found := in_force(Place(self.snapshot_url)):
                    return found
            except DncError as error:
                get_dagster_logger().warning(f"no newer Do-Not-Call store is known of: {error}")
        with DncStore.open(self.path) as store:
            return store.contents()

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
