"""Which previews are asked for: of what, and in which languages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopbot.host.given_order import GivenOrder, NotAboutError
from shopbot.host.preview import Preview, Previewer, Subject
from shopbot.messages.mode import Window


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options of `shopbot preview` come to."""

    order: GivenOrder | None
    sample: str | None
    all_samples: bool
    locales: Sequence[str]
    all_locales: bool
    windows: Sequence[Window] | None
    """None: as Messenger's window can stand."""

    def previews(self, previewer: Previewer, messages: Sequence[str]) -> tuple[Sequence[Preview], Mapping[str, str]]:
        """Make the previews of some messages; gives those that cannot be shown as well, each with the reason."""
        made: list[Preview] = []
        left_out: dict[str, str] = {}
        for message in messages:
            try:
                subjects = self._subjects(previewer, message)
            except NotAboutError as error:
                left_out[message] = str(error)
                continue
            made += [
                previewer.preview(message, subject, language=language, windows=self.windows)
                for language in self._languages(previewer, message)
                for subject in subjects
            ]
        return made, left_out

    def _subjects(self, previewer: Previewer, message: str) -> Sequence[Subject]:
        if self.order is not None:
            return [previewer.about_order(message, self.order)]
        samples = previewer.samples(message)
        if self.sample is None:
            return list(samples.values())[: None if self.all_samples else 1]
        if self.sample not in samples:
            raise NotAboutError(f"there is no sample '{self.sample}', but {', '.join(samples)}")
        return [samples[self.sample]]

    def _languages(self, previewer: Previewer, message: str) -> Sequence[str | None]:
        languages = [*self.locales, *(previewer.languages(message) if self.all_locales else ())]
        return list(dict.fromkeys(languages)) or [None]
