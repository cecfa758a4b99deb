# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# (LangGraph's node types are generic over contexts, stores and writers that a plain node does not have.)
"""The pipeline of a blog job on one screen: research ▸ strategy ▸ write ▸ verify ▸ image ▸ review ▸ draft.

Two detours, once each: an article outside the limits is made longer or shorter, a draft below the bar is revised; both
are verified again. A draft that stays below the bar is no draft: `review` raises.
"""

from langgraph.graph import END, START, StateGraph

from services.blog.limits import WORDS
from services.blog.state import BlogState
from services.blog.steps import BlogSteps


def build_graph(steps: BlogSteps) -> StateGraph[BlogState]:
    """The graph over the stages of one job, to be run by `shared.engine.checkpoints.run_graph`."""
    graph = StateGraph(BlogState)
    graph.add_node("research", steps.research)
    graph.add_node("strategy", steps.strategy)
    graph.add_node("write", steps.write)
    graph.add_node("verify", steps.verify)
    graph.add_node("resize", steps.resize)
    graph.add_node("image", steps.image)
    graph.add_node("review", steps.review)
    graph.add_node("revise", steps.revise)
    graph.add_node("draft", steps.draft)

    graph.add_edge(START, "research")
    graph.add_edge("research", "strategy")
    graph.add_edge("strategy", "write")
    graph.add_edge("write", "verify")
    graph.add_conditional_edges("verify", _after_verify, ["resize", "image", "review"])
    graph.add_edge("resize", "verify")
    graph.add_edge("image", "review")
    graph.add_conditional_edges("review", _after_review, ["revise", "draft"])
    graph.add_edge("revise", "verify")
    graph.add_edge("draft", END)
    return graph


def _after_verify(state: BlogState) -> str:
    if not WORDS.holds(state["article"].words) and not state.get("resized", False):
        return "resize"
    return "review" if "banner" in state else "image"


def _after_review(state: BlogState) -> str:
    return "draft" if state.get("reviews", [])[-1].passed else "revise"
