# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# (LangGraph's node types are generic over contexts, stores and writers that a plain node does not have.)
"""The pipeline of a piece on one screen, for every platform: strategy ▸ copy ▸ design ▸ review.

One detour, at most twice: `revise` writes what the review names again, `design` draws the slides that it has changed.
"""

from langgraph.graph import END, START, StateGraph

from shared.content.studio import Studio, StudioState, after_review


def build_graph(studio: Studio) -> StateGraph[StudioState]:
    """The graph over the stages of one job, to be run by `shared.engine.checkpoints.run_graph`."""
    graph = StateGraph(StudioState)
    graph.add_node("strategy", studio.strategy)
    graph.add_node("copy", studio.copy)
    graph.add_node("design", studio.design)
    graph.add_node("review", studio.review)
    graph.add_node("revise", studio.revise)

    graph.add_edge(START, "strategy")
    graph.add_edge("strategy", "copy")
    graph.add_edge("copy", "design")
    graph.add_edge("design", "review")
    graph.add_conditional_edges("review", after_review, {"revise": "revise", "done": END})
    graph.add_edge("revise", "design")
    return graph
