"""Who and what lives in the generator's model of the network: people, tracks, collections, contests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Person:
    """A user as the answers see them. Blocks are meant by their number in ``World.closed``, whatever their height."""

    created: int
    handle: str | None = None
    name: str | None = None
    bio: str | None = None
    profile_picture: str | None = None
    profile_picture_sizes: str | None = None
    cover_photo: str | None = None
    cover_photo_sizes: str | None = None
    verified: bool = False
    deactivated: bool = False
    referrer: int | None = None
    mobile: bool = False
    told: int = -1
    """The block in which the referrer or the mobile flag was last set, -1 before."""

    @property
    def pictured(self) -> bool:
        """Whether there is a picture, in either form."""
        return bool(self.profile_picture or self.profile_picture_sizes)

    @property
    def covered(self) -> bool:
        """Whether there is a cover, in either form."""
        return bool(self.cover_photo or self.cover_photo_sizes)


@dataclass(slots=True)
class Track:
    """A track as the answers see it; the owner of one that was created before the input began may be unknown."""

    created: int
    owner: int | None = None
    unlisted: bool = False
    stem: bool = False
    playlist_upload: bool = False
    deleted: bool = False
    genre: str | None = None
    release: int | None = None
    parents: tuple[int, ...] = ()
    pinned: int | None = None

    @property
    def public(self) -> bool:
        """Whether everybody may listen to it."""
        return not self.deleted and not self.unlisted and not self.stem


@dataclass(slots=True)
class Playlist:
    """A playlist or album as the answers see it."""

    created: int
    owner: int | None = None
    album: bool = False
    private: bool = False
    deleted: bool = False
    contents: list[int] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    release: int | None = None

    @property
    def length(self) -> int:
        """The number of tracks."""
        return len(self.contents)


@dataclass(slots=True)
class Contest:
    """A contest of remixes of a track, up to ``end`` in unix seconds if it has one. ``winners`` are tracks, each with its place
    and the block in which it was named."""

    host: int
    track: int
    created: int
    end: int | None = None
    winners: dict[int, tuple[int, int]] = field(default_factory=dict)
    deleted: bool = False
